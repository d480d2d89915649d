// A storage account that only identities reach: no keys, no anonymous blobs, no old TLS.

param name string
param location string
param tags object

@allowed([
  'public'
  'private_endpoint'
])
param networkMode string

@description('Standard_ZRS survives the loss of a zone; Standard_LRS costs less.')
param sku string = 'Standard_ZRS'

@description('Containers, besides those that a landing zone brings along.')
param containers string[] = []
param tables string[] = []

var isPrivate = networkMode == 'private_endpoint'

resource account 'Microsoft.Storage/storageAccounts@2025-01-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: sku
  }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: isPrivate ? 'Disabled' : 'Enabled'
    networkAcls: {
      // Event Grid, a trusted service, writes events that it cannot deliver.
      bypass: 'AzureServices'
      defaultAction: isPrivate ? 'Deny' : 'Allow'
    }
  }

  resource blobService 'blobServices' = {
    name: 'default'
    properties: {
      // A file that was overwritten or deleted by mistake can be brought back for a week.
      deleteRetentionPolicy: {
        enabled: true
        days: 7
      }
      containerDeleteRetentionPolicy: {
        enabled: true
        days: 7
      }
    }
  }

  resource tableService 'tableServices' = {
    name: 'default'
  }
}

resource madeContainers 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' = [for container in containers: {
  parent: account::blobService
  name: container
}]

resource madeTables 'Microsoft.Storage/storageAccounts/tableServices/tables@2025-01-01' = [for table in tables: {
  parent: account::tableService
  name: table
}]

output id string = account.id
output name string = account.name
output blobEndpoint string = account.properties.primaryEndpoints.blob
