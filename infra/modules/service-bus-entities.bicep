// Queues, topics, subscriptions and rules of `service-bus.json`, in a namespace that is made or
// adopted, and what the app may do with them.

param namespaceName string

@description('Object id of the identity that the app runs as.')
param appPrincipalId string

@description('Log Analytics workspace for the namespace\'s own logs.')
param workspaceId string

var declared = loadJsonContent('../service-bus.json').UserConfig.Namespaces[0]
var roles = loadJsonContent('roles.json')
var subscriptions = flatten(map(declared.Topics, topic => map(topic.Subscriptions, subscription => {
  topic: topic.Name
  name: subscription.Name
  properties: subscription.Properties
})))
var rules = flatten(map(declared.Topics, topic => flatten(map(topic.Subscriptions, subscription => map(subscription.Rules, rule => {
  topic: topic.Name
  subscription: subscription.Name
  name: rule.Name
  properties: rule.Properties
})))))

resource namespace 'Microsoft.ServiceBus/namespaces@2024-01-01' existing = {
  name: namespaceName
}

resource queues 'Microsoft.ServiceBus/namespaces/queues@2024-01-01' = [for queue in declared.Queues: {
  parent: namespace
  name: queue.Name
  properties: {
    lockDuration: queue.Properties.LockDuration
    maxDeliveryCount: queue.Properties.MaxDeliveryCount
    defaultMessageTimeToLive: queue.Properties.DefaultMessageTimeToLive
    deadLetteringOnMessageExpiration: queue.Properties.DeadLetteringOnMessageExpiration
    requiresDuplicateDetection: queue.Properties.RequiresDuplicateDetection
    duplicateDetectionHistoryTimeWindow: queue.Properties.DuplicateDetectionHistoryTimeWindow
    requiresSession: queue.Properties.RequiresSession
  }
}]

resource topics 'Microsoft.ServiceBus/namespaces/topics@2024-01-01' = [for topic in declared.Topics: {
  parent: namespace
  name: topic.Name
  properties: {
    defaultMessageTimeToLive: topic.Properties.DefaultMessageTimeToLive
    requiresDuplicateDetection: topic.Properties.RequiresDuplicateDetection
    duplicateDetectionHistoryTimeWindow: topic.Properties.DuplicateDetectionHistoryTimeWindow
  }
}]

resource topicSubscriptions 'Microsoft.ServiceBus/namespaces/topics/subscriptions@2024-01-01' = [for subscription in subscriptions: {
  name: '${namespaceName}/${subscription.topic}/${subscription.name}'
  properties: {
    lockDuration: subscription.properties.LockDuration
    maxDeliveryCount: subscription.properties.MaxDeliveryCount
    defaultMessageTimeToLive: subscription.properties.DefaultMessageTimeToLive
    deadLetteringOnMessageExpiration: subscription.properties.DeadLetteringOnMessageExpiration
    requiresSession: subscription.properties.RequiresSession
  }
  dependsOn: [
    topics
  ]
}]

resource topicRules 'Microsoft.ServiceBus/namespaces/topics/subscriptions/rules@2024-01-01' = [for rule in rules: {
  name: '${namespaceName}/${rule.topic}/${rule.subscription}/${rule.name}'
  properties: {
    filterType: rule.properties.FilterType == 'Sql' ? 'SqlFilter' : 'CorrelationFilter'
    sqlFilter: rule.properties.FilterType == 'Sql' ? { sqlExpression: rule.properties.SqlFilter.SqlExpression } : null
    correlationFilter: rule.properties.FilterType == 'Sql' ? null : { properties: rule.properties.CorrelationFilter.Properties }
  }
  dependsOn: [
    topicSubscriptions
  ]
}]

// The app receives from its queues and sends to them, and the gauges read how many messages each has
// given up, which is the claim Manage; only the Data Owner has it. Hence on each queue, and not on
// the namespace, which others may share.
resource queueOwner 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (queue, i) in declared.Queues: {
  name: guid(queues[i].id, appPrincipalId, roles.serviceBusDataOwner)
  scope: queues[i]
  properties: {
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.serviceBusDataOwner)
  }
}]

// The trigger `fan_out` receives from a topic's subscription: the role's scope must cover the
// subscription itself.
resource subscriptionReceiver 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (subscription, i) in subscriptions: {
  name: guid(topicSubscriptions[i].id, appPrincipalId, roles.serviceBusDataReceiver)
  scope: topicSubscriptions[i]
  properties: {
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.serviceBusDataReceiver)
  }
}]

// The app makes, filters, counts and deletes the subscriptions of pull subscribers at run time: the
// claim Manage, again.
resource topicOwner 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (topic, i) in declared.Topics: {
  name: guid(topics[i].id, appPrincipalId, roles.serviceBusDataOwner)
  scope: topics[i]
  properties: {
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.serviceBusDataOwner)
  }
}]

module diagnostics 'diagnostics.bicep' = {
  name: 'service-bus-diagnostics'
  params: {
    workspaceId: workspaceId
    namespaceName: namespace.name
  }
}

output namespaceId string = namespace.id
output fullyQualifiedNamespace string = '${namespaceName}.servicebus.windows.net'
