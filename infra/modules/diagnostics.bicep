// Resource logs to the workspace. Microsoft's type of diagnostic settings is in no package that can
// be had offline, and names of categories are in none at all: `az deployment … what-if` tells.
// `Dedicated` asks for the tables that the queries name; otherwise a service may write all of its logs
// to AzureDiagnostics.

param workspaceId string

@description('Event Grid custom topic of this resource group; empty for none.')
param topicName string = ''

@description('Event Grid system topic of this resource group; empty for none.')
param systemTopicName string = ''

@description('Service Bus namespace of this resource group; empty for none.')
param namespaceName string = ''

resource topic 'Microsoft.EventGrid/topics@2025-02-15' existing = {
  name: empty(topicName) ? 'none' : topicName
}

resource systemTopic 'Microsoft.EventGrid/systemTopics@2025-02-15' existing = {
  name: empty(systemTopicName) ? 'none' : systemTopicName
}

resource namespace 'Microsoft.ServiceBus/namespaces@2024-01-01' existing = {
  name: empty(namespaceName) ? 'none' : namespaceName
}

resource topicLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = if (!empty(topicName)) {
  name: 'mesh'
  scope: topic
  properties: {
    workspaceId: workspaceId
    logAnalyticsDestinationType: 'Dedicated'
    logs: [
      {
        category: 'DeliveryFailures'
        enabled: true
      }
      {
        category: 'PublishFailures'
        enabled: true
      }
    ]
  }
}

resource systemTopicLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = if (!empty(systemTopicName)) {
  name: 'mesh'
  scope: systemTopic
  properties: {
    workspaceId: workspaceId
    logAnalyticsDestinationType: 'Dedicated'
    logs: [
      {
        category: 'DeliveryFailures'
        enabled: true
      }
    ]
  }
}

resource namespaceLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = if (!empty(namespaceName)) {
  name: 'mesh'
  scope: namespace
  properties: {
    workspaceId: workspaceId
    logAnalyticsDestinationType: 'Dedicated'
    logs: [
      {
        category: 'OperationalLogs'
        enabled: true
      }
    ]
  }
}
