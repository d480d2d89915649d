// A landing zone in a storage account that is made or adopted: containers, how long blobs stay, and
// the way of its BlobCreated events to the hub's queue. Also what app, producers and consumers may.

param accountName string
param location string
param tags object

@description('Id of the hub\'s Service Bus namespace.')
param namespaceId string

@description('Object id of the identity that the app runs as.')
param appPrincipalId string
param workspaceId string

@description('Groups, or workloads, that may drop files.')
param producers principal[] = []

@description('Groups, or workloads, that may read what was published.')
param consumers principal[] = []

@description('Whether the account\'s lifecycle policy is ours to write: it has only one.')
param ownsLifecycle bool = true

@description('The account\'s system topic, in this resource group and with an identity, if it has one: it can have only one.')
param existingSystemTopicName string = ''

type principal = {
  id: string
  type: 'Group' | 'ServicePrincipal' | 'User'
}

var node = loadJsonContent('../node.json')
var declared = loadJsonContent('../event-grid.json').systemTopics[0]
var wanted = declared.eventSubscriptions[0]
var roles = loadJsonContent('roles.json')
var systemTopicName = empty(existingSystemTopicName) ? '${declared.name}-${accountName}' : existingSystemTopicName
var systemTopicPrincipalId = empty(existingSystemTopicName) ? systemTopic.identity.principalId : existingSystemTopic.identity.principalId
var writable = filter(node.containers, container => container != 'landing')

resource account 'Microsoft.Storage/storageAccounts@2025-01-01' existing = {
  name: accountName

  resource blobService 'blobServices' existing = {
    name: 'default'
  }
}

resource landing 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' = {
  parent: account::blobService
  name: 'landing'
}

resource outputs 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' = [for container in writable: {
  parent: account::blobService
  name: container
}]

resource lifecycle 'Microsoft.Storage/storageAccounts/managementPolicies@2025-01-01' = if (ownsLifecycle) {
  parent: account
  name: 'default'
  properties: {
    policy: {
      rules: [for rule in node.lifecycle: {
        name: '${rule.container}-${rule.action}'
        type: 'Lifecycle'
        enabled: true
        definition: {
          filters: {
            blobTypes: [
              'blockBlob'
            ]
            prefixMatch: [
              '${rule.container}/'
            ]
          }
          actions: {
            baseBlob: rule.action == 'delete' ? {
              delete: {
                daysAfterModificationGreaterThan: rule.afterDays
              }
            } : {
              tierToCool: {
                daysAfterModificationGreaterThan: rule.afterDays
              }
            }
          }
        }
      }]
    }
  }
}

resource systemTopic 'Microsoft.EventGrid/systemTopics@2025-02-15' = if (empty(existingSystemTopicName)) {
  name: '${declared.name}-${accountName}'
  location: location
  tags: tags
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    source: account.id
    topicType: declared.topicType
  }
}

resource existingSystemTopic 'Microsoft.EventGrid/systemTopics@2025-02-15' existing = if (!empty(existingSystemTopicName)) {
  name: empty(existingSystemTopicName) ? 'none' : existingSystemTopicName
}

module sender 'sender.bicep' = {
  name: 'sender-${accountName}'
  scope: resourceGroup(split(namespaceId, '/')[2], split(namespaceId, '/')[4])
  params: {
    namespaceName: last(split(namespaceId, '/'))
    queueName: wanted.destination.properties.queueName
    principalId: systemTopicPrincipalId
  }
}

module undelivered 'undelivered.bicep' = {
  name: 'undelivered-${accountName}'
  params: {
    accountName: accountName
    principalId: systemTopicPrincipalId
  }
}

resource landed 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = {
  name: '${systemTopicName}/${wanted.name}'
  properties: {
    eventDeliverySchema: wanted.eventDeliverySchema
    filter: wanted.filter
    retryPolicy: wanted.retryPolicy
    deliveryWithResourceIdentity: {
      identity: {
        type: 'SystemAssigned'
      }
      destination: {
        endpointType: wanted.destination.endpointType
        properties: {
          resourceId: '${namespaceId}/queues/${wanted.destination.properties.queueName}'
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
    systemTopic
  ]
}

// The app reads dropped files; it has no business changing what producers sent.
resource appReads 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(landing.id, appPrincipalId, roles.blobDataReader)
  scope: landing
  properties: {
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.blobDataReader)
  }
}

// The app writes accepted rows, rejected rows and receipts, and reads receipts back.
resource appWrites 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (container, i) in writable: {
  name: guid(outputs[i].id, appPrincipalId, roles.blobDataContributor)
  scope: outputs[i]
  properties: {
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.blobDataContributor)
  }
}]

// The app signs short-lived read access for consumers. The key that it asks for signs no more than the app may do itself.
resource appDelegates 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account.id, appPrincipalId, roles.blobDelegator)
  scope: account
  properties: {
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.blobDelegator)
  }
}

// Producers drop files, and may look at and replace them.
resource producersWrite 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for producer in producers: {
  name: guid(landing.id, producer.id, roles.blobDataContributor)
  scope: landing
  properties: {
    principalId: producer.id
    principalType: producer.type
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.blobDataContributor)
  }
}]

// Consumers follow the references in events to published files; nothing else is theirs to see.
resource consumersRead 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for consumer in consumers: {
  name: guid(outputs[indexOf(writable, 'published')].id, consumer.id, roles.blobDataReader)
  scope: outputs[indexOf(writable, 'published')]
  properties: {
    principalId: consumer.id
    principalType: consumer.type
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.blobDataReader)
  }
}]

module diagnostics 'diagnostics.bicep' = {
  name: 'diagnostics-${accountName}'
  params: {
    workspaceId: workspaceId
    systemTopicName: systemTopicName
  }
  dependsOn: [
    systemTopic
  ]
}
