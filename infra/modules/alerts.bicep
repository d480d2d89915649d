// What somebody is woken for, or reads in the morning. Each alert is a query of `infra/kql/alerts`
// that returns one row per thing that is wrong, and leads to its page in the runbook.

param location string
param tags object
param workspaceId string

@description('Who is told, by e-mail; the rules are there and fire even when it is empty.')
param emails string[] = []

@description('Where the runbook can be read.')
param runbook string

@description('Domains that must be heard of, for the alert on silence, which no row would otherwise raise.')
param domains string[] = []

// A JSON array is a KQL array too.
var silence = replace(loadTextContent('../kql/alerts/silence.kql'), '["__DOMAINS__"]', string(domains))

// Severity: 1 error, 2 warning, 3 information.
var alerts = [
  {
    name: 'dead-letters'
    title: 'Messages were given up on'
    severity: 1
    query: loadTextContent('../kql/alerts/dead-letters.kql')
    every: 'PT5M'
    window: 'PT15M'
  }
  {
    name: 'failures'
    title: 'Functions keep failing'
    severity: 2
    query: loadTextContent('../kql/alerts/failures.kql')
    every: 'PT5M'
    window: 'PT15M'
  }
  {
    name: 'latency'
    title: 'Files take too long from landing to notified'
    severity: 2
    query: loadTextContent('../kql/alerts/latency.kql')
    every: 'PT15M'
    window: 'PT1H'
  }
  {
    name: 'freshness'
    title: 'A product is older than it promises'
    severity: 2
    query: loadTextContent('../kql/alerts/freshness.kql')
    every: 'PT15M'
    // It is told once that a product is late: the alert stays until it has recovered, or as long as a window may be.
    window: 'P2D'
  }
  {
    name: 'silence'
    title: 'A domain has not been heard of for a day'
    severity: 2
    query: silence
    every: 'PT1H'
    window: 'P1D'
  }
  {
    name: 'heartbeat'
    title: 'Nothing has been heard of the mesh itself'
    severity: 1
    query: loadTextContent('../kql/alerts/heartbeat.kql')
    every: 'PT5M'
    window: 'PT30M'
  }
  {
    name: 'event-grid-delivery'
    title: 'Event Grid cannot deliver'
    severity: 1
    query: loadTextContent('../kql/alerts/event-grid-delivery.kql')
    every: 'PT5M'
    window: 'PT15M'
  }
  {
    name: 'suspended-subscribers'
    title: 'A subscriber has been given up on'
    severity: 3
    query: loadTextContent('../kql/alerts/suspended-subscribers.kql')
    every: 'PT15M'
    window: 'PT1H'
  }
]

resource team 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'mesh'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'mesh'
    enabled: true
    emailReceivers: [for (email, i) in emails: {
      name: 'email-${i}'
      emailAddress: email
      useCommonAlertSchema: true
    }]
  }
}

resource rules 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for alert in alerts: {
  name: 'mesh-${alert.name}'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: 'Mesh: ${alert.title}'
    description: 'What to do: ${runbook}#${alert.name}'
    severity: alert.severity
    enabled: true
    autoMitigate: true
    evaluationFrequency: alert.every
    windowSize: alert.window
    scopes: [
      workspaceId
    ]
    criteria: {
      allOf: [
        {
          query: alert.query
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    actions: {
      actionGroups: [
        team.id
      ]
      customProperties: {
        runbook: '${runbook}#${alert.name}'
      }
    }
  }
}]
