// Where telemetry goes: Application Insights on a Log Analytics workspace, made or adopted.

param name string
param location string
param tags object

@description('Id of a workspace to use; empty to make one.')
param workspaceId string = ''

@minValue(30)
@maxValue(730)
param retentionInDays int = 30

@description('Object id of the identity that the app runs as.')
param appPrincipalId string

var roles = loadJsonContent('roles.json')
var usedId = empty(workspaceId) ? resourceId('Microsoft.OperationalInsights/workspaces', 'log-${name}') : workspaceId

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-02-01' = if (empty(workspaceId)) {
  name: 'log-${name}'
  location: location
  tags: tags
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: retentionInDays
    features: {
      disableLocalAuth: true
    }
  }
}

// The workspace may lie in another group.
module asked 'workspace-asked.bicep' = {
  name: 'workspace-asked-${name}'
  scope: resourceGroup(split(usedId, '/')[2], split(usedId, '/')[4])
  params: {
    name: last(split(usedId, '/'))
  }
  dependsOn: [
    workspace
  ]
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: 'appi-${name}'
  location: location
  kind: 'web'
  tags: tags
  properties: {
    Application_Type: 'web'
    DisableLocalAuth: true
    IngestionMode: 'LogAnalytics'
    WorkspaceResourceId: empty(workspaceId) ? workspace.id : workspaceId
  }
}

// The app sends traces, metrics and logs; with local auth off, ingestion asks for this role.
resource publisher 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(insights.id, appPrincipalId, roles.monitoringMetricsPublisher)
  scope: insights
  properties: {
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.monitoringMetricsPublisher)
  }
}

output workspaceId string = empty(workspaceId) ? workspace.id : workspaceId
output workspaceCustomerId string = asked.outputs.customerId
output insightsName string = insights.name
output connectionString string = insights.properties.ConnectionString
