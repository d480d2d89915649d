// The Event Grid topic that the app publishes to, and its delivery into Service Bus, by identity.

@description('Appended to the name, which must be unique in the region.')
param token string
param location string
param tags object

@allowed([
  'public'
  'private_endpoint'
])
param networkMode string

@description('Id of the hub\'s Service Bus namespace.')
param namespaceId string

@description('Object id of the identity that the app runs as.')
param appPrincipalId string
param workspaceId string

@description('Storage account that keeps, in the container `undelivered`, what could not be delivered.')
param deadLetterAccountName string

var declared = loadJsonContent('../event-grid.json').topics[0]
var wanted = declared.eventSubscriptions[0]
var roles = loadJsonContent('roles.json')

resource topic 'Microsoft.EventGrid/topics@2025-02-15' = {
  name: '${declared.name}-${token}'
  location: location
  tags: tags
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    inputSchema: declared.inputSchema
    disableLocalAuth: true
    minimumTlsVersionAllowed: '1.2'
    publicNetworkAccess: networkMode == 'private_endpoint' ? 'Disabled' : 'Enabled'
  }
}

module sender 'sender.bicep' = {
  name: 'event-topic-sender'
  scope: resourceGroup(split(namespaceId, '/')[2], split(namespaceId, '/')[4])
  params: {
    namespaceName: last(split(namespaceId, '/'))
    topicName: wanted.destination.properties.topicName
    principalId: topic.identity.principalId
  }
}

module undelivered 'undelivered.bicep' = {
  name: 'event-topic-undelivered'
  params: {
    accountName: deadLetterAccountName
    principalId: topic.identity.principalId
  }
}

resource subscription 'Microsoft.EventGrid/topics/eventSubscriptions@2025-02-15' = {
  parent: topic
  name: wanted.name
  properties: {
    eventDeliverySchema: wanted.eventDeliverySchema
    retryPolicy: wanted.retryPolicy
    deliveryWithResourceIdentity: {
      identity: {
        type: 'SystemAssigned'
      }
      destination: {
        endpointType: wanted.destination.endpointType
        properties: {
          resourceId: '${namespaceId}/topics/${wanted.destination.properties.topicName}'
          deliveryAttributeMappings: wanted.destination.properties.deliveryAttributeMappings
        }
      }
    }
    deadLetterWithResourceIdentity: {
      identity: {
        type: 'SystemAssigned'
      }
      deadLetterDestination: {
        endpointType: 'StorageBlob'
        properties: {
          resourceId: undelivered.outputs.accountId
          blobContainerName: undelivered.outputs.container
        }
      }
    }
  }
  // Event Grid tries the roles when the subscription is made.
  dependsOn: [
    sender
  ]
}

// The app publishes what happened to products; only to this topic.
resource publisher 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(topic.id, appPrincipalId, roles.eventGridDataSender)
  scope: topic
  properties: {
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.eventGridDataSender)
  }
}

module diagnostics 'diagnostics.bicep' = {
  name: 'event-topic-diagnostics'
  params: {
    workspaceId: workspaceId
    topicName: topic.name
  }
}

output id string = topic.id
output endpoint string = topic.properties.endpoint
