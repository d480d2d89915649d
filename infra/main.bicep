// A mesh: one hub, and a node for each domain that has storage of its own. `azd up` deploys it.

targetScope = 'subscription'

@description('Name of the environment (azd: AZURE_ENV_NAME); part of every resource\'s name.')
@minLength(1)
@maxLength(24)
param environmentName string

@description('Region of the hub, and of nodes that name none.')
param location string

@description('Who answers for the hub: a team, or an address.')
param owner string

@allowed([
  'public'
  'private_endpoint'
])
@description('public: endpoints on the internet, identities only. private_endpoint: a virtual network, private endpoints, Service Bus Premium.')
param networkMode string = 'public'

@description('The domains with storage of their own. Any other domain uses the hub\'s landing zone.')
param domains domain[] = []

@description('Domains without storage of their own that must be heard of every day.')
param sharedDomains string[] = []

@description('Ids of what is there already and is used instead of being made: workspaceId, serviceBusNamespaceId, keyVaultId, appSubnetId, endpointSubnetId, dnsZonesResourceGroupId.')
param adopted object = {}

@description('Who may drop files into the hub\'s shared landing zone.')
param producers principal[] = []

@description('Who may read what was published from the hub\'s shared landing zone.')
param consumers principal[] = []

@description('Who is told when an alert fires.')
param alertEmails string[] = []

@description('Where the runbook can be read; alerts lead to its sections.')
param runbook string = 'https://github.com/your-organisation/mvmesh/blob/main/docs/runbook.md'

@description('Who the mesh says it is to webhooks; empty for the app\'s host name.')
param webhookOrigin string = ''

@description('Client id of the app registration that tokens for the HTTP API are issued to; empty when there is none yet: then the API answers nobody.')
param apiClientId string = ''

@description('Python of the app: 3.11 or 3.12.')
param pythonVersion string = '3.11'

@description('Memory of an instance: 512, 2048 or 4096.')
param instanceMemoryMB int = 2048

@description('Most instances of a function at once.')
param maximumInstanceCount int = 40

@description('Instances that wait for files, and are paid for it; 0 scales to nothing.')
param alwaysReady int = 0

@description('Whether the HTTP API, and deployments, are reached through a private endpoint only.')
param privateApi bool = false

@description('Tags of every resource.')
param tags object = {}

type principal = {
  @description('Object id in Microsoft Entra.')
  id: string
  type: 'Group' | 'ServicePrincipal' | 'User'
}

type domain = {
  @description('Lower-case words, joined by hyphens; as in the paths of files.')
  name: string

  @description('Who answers for the domain: a team, or an address.')
  owner: string

  @description('Its products, for the tag `mesh-product`.')
  products: string[]?

  @description('Region, if another than the hub\'s.')
  location: string?

  @description('Who may drop files.')
  producers: principal[]?

  @description('Who may read what was published.')
  consumers: principal[]?

  @description('Id of a storage account to adopt.')
  storageAccountId: string?

  @description('Name of its system topic, if it has one.')
  systemTopicName: string?
}

var token = uniqueString(subscription().id, environmentName, location)
var hubTags = union(tags, {
  'azd-env-name': environmentName
  'mesh-domain': 'hub'
  'mesh-owner': owner
  'mesh-product': 'all'
})
var nodes = map(domains, domain => {
  name: domain.name
  accountName: last(split(domain.?storageAccountId ?? 'st${take(replace(domain.name, '-', ''), 9)}${uniqueString(subscription().id, environmentName, domain.name)}', '/'))
})
var storageOfDomains = toObject(nodes, node => node.name, node => node.accountName)

resource hubGroup 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: 'rg-${environmentName}-hub'
  location: location
  tags: hubTags
}

module hub 'modules/hub.bicep' = {
  name: 'hub'
  scope: hubGroup
  params: {
    environmentName: environmentName
    location: location
    owner: owner
    tags: union(tags, {
      'azd-env-name': environmentName
    })
    token: token
    networkMode: networkMode
    adopted: adopted
    storageOfDomains: storageOfDomains
    domains: concat(map(domains, domain => domain.name), sharedDomains)
    producers: producers
    consumers: consumers
    alertEmails: alertEmails
    runbook: runbook
    webhookOrigin: webhookOrigin
    apiClientId: apiClientId
    pythonVersion: pythonVersion
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    alwaysReady: alwaysReady
    privateApi: privateApi
  }
}

resource nodeGroups 'Microsoft.Resources/resourceGroups@2025-04-01' = [for domain in domains: if (empty(domain.?storageAccountId ?? '')) {
  name: 'rg-${environmentName}-${domain.name}'
  location: domain.?location ?? location
  tags: union(tags, {
    'azd-env-name': environmentName
    'mesh-domain': domain.name
    'mesh-owner': domain.owner
    'mesh-product': 'all'
  })
}]

// A node lies in a group of its own, or where its adopted account is.
module domainNodes 'modules/node.bicep' = [for (domain, i) in domains: {
  name: 'node-${domain.name}'
  scope: resourceGroup(split(domain.?storageAccountId ?? subscription().id, '/')[2], empty(domain.?storageAccountId ?? '') ? 'rg-${environmentName}-${domain.name}' : split(domain.?storageAccountId ?? '', '/')[4])
  params: {
    domain: domain.name
    owner: domain.owner
    accountName: nodes[i].accountName
    location: domain.?location ?? location
    networkMode: networkMode
    products: domain.?products ?? []
    producers: domain.?producers ?? []
    consumers: domain.?consumers ?? []
    isAdopted: !empty(domain.?storageAccountId ?? '')
    existingSystemTopicName: domain.?systemTopicName ?? ''
    namespaceId: hub.outputs.namespaceId
    appPrincipalId: hub.outputs.appPrincipalId
    workspaceId: hub.outputs.workspaceId
    endpointSubnetId: hub.outputs.endpointSubnetId
    blobDnsZoneId: hub.outputs.blobDnsZoneId
    tags: union(tags, {
      'azd-env-name': environmentName
    })
  }
  dependsOn: [
    nodeGroups
  ]
}]

output AZURE_LOCATION string = location
output MESH_RESOURCE_GROUP string = hubGroup.name
output MESH_APP_NAME string = hub.outputs.appName
output MESH_API string = 'https://${hub.outputs.appHostName}'
output MESH_SCOPE string = empty(apiClientId) ? '' : 'api://${apiClientId}/.default'
output MESH_STORAGE_ACCOUNT string = hub.outputs.storageAccountName
output MESH_STORAGE_OF_DOMAINS string = string(storageOfDomains)
output MESH_SERVICE_BUS_ID string = hub.outputs.namespaceId
output MESH_WORKSPACE_ID string = hub.outputs.workspaceId
output MESH_LOGS_WORKSPACE string = hub.outputs.workspaceCustomerId
output MESH_APP_PRINCIPAL_ID string = hub.outputs.appPrincipalId
output MESH_VAULT_ID string = hub.outputs.vaultId
output MESH_SIGNING_KEY_NAME string = hub.outputs.signingKeyName
output MESH_ENDPOINT_SUBNET_ID string = hub.outputs.endpointSubnetId
output MESH_BLOB_DNS_ZONE_ID string = hub.outputs.blobDnsZoneId
