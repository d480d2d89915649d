// Let an Event Grid topic's own identity send to one queue, or one topic, of the hub's namespace.

param namespaceName string
param queueName string = ''
param topicName string = ''

@description('Object id of the Event Grid topic\'s identity.')
param principalId string

var roles = loadJsonContent('roles.json')

resource namespace 'Microsoft.ServiceBus/namespaces@2024-01-01' existing = {
  name: namespaceName

  resource queue 'queues' existing = {
    name: empty(queueName) ? 'none' : queueName
  }

  resource topic 'topics' existing = {
    name: empty(topicName) ? 'none' : topicName
  }
}

// A domain's storage may announce files, and nothing else: just this queue.
resource queueSender 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(queueName)) {
  name: guid(namespace::queue.id, principalId, roles.serviceBusDataSender)
  scope: namespace::queue
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.serviceBusDataSender)
  }
}

// The hub's topic hands events of products to Service Bus, which fans them out: just this topic.
resource topicSender 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(topicName)) {
  name: guid(namespace::topic.id, principalId, roles.serviceBusDataSender)
  scope: namespace::topic
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.serviceBusDataSender)
  }
}
