// The signing key, made once by `infra/hooks/signing-key.sh`: through Azure Resource Manager, so that
// whoever deploys needs no role on the vault's data, and a vault behind a private endpoint will do.

param vaultName string
param secretName string

@secure()
param value string

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' existing = {
  name: vaultName
}

resource secret 'Microsoft.KeyVault/vaults/secrets@2024-11-01' = {
  parent: vault
  name: secretName
  properties: {
    contentType: '32 random bytes in base64'
    value: value
  }
}
