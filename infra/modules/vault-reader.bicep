// Let the app read secrets of a vault that is made or adopted.

param vaultName string

@description('Object id of the identity that the app runs as.')
param appPrincipalId string

var roles = loadJsonContent('roles.json')

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' existing = {
  name: vaultName
}

// The platform resolves the app's Key Vault reference with the app's identity. On the vault and not
// on the secret, for the secret is made after the first deployment.
resource reader 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(vault.id, appPrincipalId, roles.keyVaultSecretsUser)
  scope: vault
  properties: {
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.keyVaultSecretsUser)
  }
}

output vaultUri string = vault.properties.vaultUri
