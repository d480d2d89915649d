// Where the one secret of the mesh lies: the key that subscribers' signing secrets derive from.
// `infra/hooks/signing-key.sh` makes it, once; the app reads it as a Key Vault reference.

param name string
param location string
param tags object

@allowed([
  'public'
  'private_endpoint'
])
param networkMode string

var isPrivate = networkMode == 'private_endpoint'

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 90
    // Losing the key would silence every subscriber.
    enablePurgeProtection: true
    publicNetworkAccess: isPrivate ? 'Disabled' : 'Enabled'
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: isPrivate ? 'Deny' : 'Allow'
    }
  }
}

output id string = vault.id
