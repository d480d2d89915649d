// The Functions app on a Flex Consumption plan. It is somebody (a user-assigned identity) and has
// no keys to anything; all its settings are here, and `docs/settings.md` tells what each is.

param name string
param location string
param tags object

@description('The identity that the app runs as.')
param identity appIdentity

@description('Storage account of the Functions host: packages, keys of functions, leases of timers.')
param hostAccountName string
param hostBlobEndpoint string

@description('Container with the deployed package.')
param packageContainer string

@description('Storage account with the record and, for domains without an own one, the landing zone.')
param storageAccountName string

@description('Storage account of each domain that has its own.')
param storageOfDomains object

@description('NAME.servicebus.windows.net')
param serviceBusNamespace string
param eventGridEndpoint string
param insightsConnectionString string

@description('Uri of the vault that holds the signing key, with a slash at its end.')
param vaultUri string
param signingKeyName string

@description('Who the mesh says it is to webhooks; empty for the app\'s own host name.')
param webhookOrigin string = ''

@description('Client id of the app registration that tokens for the HTTP API are issued to; empty when there is none yet: then the API answers nobody.')
param apiClientId string = ''

@allowed([
  '3.11'
  '3.12'
])
param pythonVersion string

@allowed([
  512
  2048
  4096
])
param instanceMemoryMB int

@minValue(40)
@maxValue(1000)
param maximumInstanceCount int

@description('Instances that are paid to wait; 0 scales to nothing.')
param alwaysReady int = 0

@description('Subnet for outgoing traffic; empty for none.')
param subnetId string = ''

@description('Whether the HTTP API and deployments are reached through a private endpoint only.')
param privateApi bool = false

type appIdentity = {
  id: string
  clientId: string
  principalId: string
}

var roles = loadJsonContent('roles.json')
var authentication = loadJsonContent('../authentication.json')

resource hostAccount 'Microsoft.Storage/storageAccounts@2025-01-01' existing = {
  name: hostAccountName
}

// The host keeps packages, function keys, timer leases and its own locks in blobs of its account.
resource hostBlobs 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(hostAccount.id, identity.principalId, roles.blobDataOwner)
  scope: hostAccount
  properties: {
    principalId: identity.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.blobDataOwner)
  }
}

// The host writes its diagnostic events into a table of its account.
resource hostTables 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(hostAccount.id, identity.principalId, roles.tableDataContributor)
  scope: hostAccount
  properties: {
    principalId: identity.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.tableDataContributor)
  }
}

resource plan 'Microsoft.Web/serverfarms@2024-11-01' = {
  name: 'plan-${name}'
  location: location
  kind: 'functionapp'
  tags: tags
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
  }
}

resource app 'Microsoft.Web/sites@2024-11-01' = {
  name: 'func-${name}'
  location: location
  kind: 'functionapp,linux'
  tags: union(tags, {
    'azd-service-name': 'mesh'
  })
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identity.id}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    keyVaultReferenceIdentity: identity.id
    publicNetworkAccess: privateApi ? 'Disabled' : 'Enabled'
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    siteConfig: {
      minTlsVersion: '1.2'
      ftpsState: 'Disabled'
      http20Enabled: true
    }
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${hostBlobEndpoint}${packageContainer}'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identity.id
          }
        }
      }
      runtime: {
        name: 'python'
        version: pythonVersion
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
        alwaysReady: alwaysReady == 0 ? [] : [
          {
            name: 'function:file_landed'
            instanceCount: alwaysReady
          }
        ]
      }
    }
  }
  dependsOn: [
    hostBlobs
    hostTables
  ]

  // Deployments sign in with Entra; no publishing passwords.
  resource ftp 'basicPublishingCredentialsPolicies' = {
    name: 'ftp'
    properties: {
      allow: false
    }
  }

  resource scm 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: {
      allow: false
    }
  }
}

resource settings 'Microsoft.Web/sites/config@2024-11-01' = {
  parent: app
  name: 'appsettings'
  properties: {
    AzureWebJobsStorage__accountName: hostAccountName
    AzureWebJobsStorage__credential: 'managedidentity'
    AzureWebJobsStorage__clientId: identity.clientId
    STORAGE__accountName: storageAccountName
    STORAGE_OF_DOMAINS: string(storageOfDomains)
    SERVICE_BUS__fullyQualifiedNamespace: serviceBusNamespace
    SERVICE_BUS__credential: 'managedidentity'
    SERVICE_BUS__clientId: identity.clientId
    EVENT_GRID_TOPIC: eventGridEndpoint
    WEBHOOK_SIGNING_KEY: '@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/${signingKeyName})'
    WEBHOOK_ORIGIN: empty(webhookOrigin) ? app.properties.defaultHostName : webhookOrigin
    // The app believes the headers of App Service authentication only where that is on: below.
    EASY_AUTH: empty(apiClientId) ? 'false' : 'true'
    AZURE_CLIENT_ID: identity.clientId
    APPLICATIONINSIGHTS_CONNECTION_STRING: insightsConnectionString
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identity.clientId};Authorization=AAD'
    PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY: 'true'
    // Five traces per second is the default: a burst of files would lose most of its traces.
    OTEL_TRACES_SAMPLER: 'microsoft.fixed_percentage'
    OTEL_TRACES_SAMPLER_ARG: '1.0'
    // The mesh's own spans tell of each hop; these would add one for each storage request, with blob names.
    PYTHON_THREADPOOL_THREAD_COUNT: '64'
    OTEL_PYTHON_DISABLED_INSTRUMENTATIONS: 'azure_sdk,django,fastapi,flask,httpx,httpx2,psycopg2,requests,urllib,urllib3'
  }
  // Until it is on, anybody may set the headers that EASY_AUTH lets the app believe.
  dependsOn: [
    signIn
  ]
}

// Who calls is checked before the app is asked; what they may do says the app (docs/security.md).
resource signIn 'Microsoft.Web/sites/config@2024-11-01' = {
  parent: app
  name: 'authsettingsV2'
  properties: {
    platform: {
      enabled: !empty(apiClientId)
    }
    globalValidation: {
      requireAuthentication: authentication.requireAuthentication
      unauthenticatedClientAction: authentication.unauthenticatedClientAction
      excludedPaths: authentication.excludedPaths
    }
    identityProviders: {
      azureActiveDirectory: {
        enabled: true
        registration: {
          clientId: apiClientId
          openIdIssuer: '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'
        }
        validation: {
          allowedAudiences: [
            apiClientId
            'api://${apiClientId}'
          ]
        }
      }
    }
    httpSettings: {
      requireHttps: true
    }
    login: {
      tokenStore: {
        enabled: false
      }
    }
  }
}

output id string = app.id
output name string = app.name
output hostName string = app.properties.defaultHostName
