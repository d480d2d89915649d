// What the app may do with the hub's own storage: the record in its tables, contracts, declarations.

param accountName string

@description('Object id of the identity that the app runs as.')
param appPrincipalId string

@description('Containers that the app alone writes.')
param containers string[]

var roles = loadJsonContent('roles.json')

resource account 'Microsoft.Storage/storageAccounts@2025-01-01' existing = {
  name: accountName

  resource blobService 'blobServices' existing = {
    name: 'default'

    resource owned 'containers' existing = [for container in containers: {
      name: container
    }]
  }
}

// The app keeps the record, the catalogue and the deliveries in tables. On the account, since all
// of its tables are the app's.
resource tables 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account.id, appPrincipalId, roles.tableDataContributor)
  scope: account
  properties: {
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.tableDataContributor)
  }
}

// The app writes contracts and declarations, and reads them back.
resource documents 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (container, i) in containers: {
  name: guid(account::blobService::owned[i].id, appPrincipalId, roles.blobDataContributor)
  scope: account::blobService::owned[i]
  properties: {
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.blobDataContributor)
  }
}]
