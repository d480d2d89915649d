// The hub: what all domains share. Deployable alone, into a resource group.

@description('Name of the environment; part of every resource\'s name.')
param environmentName string
param location string = resourceGroup().location

@description('Who answers for the hub: a team, or an address.')
param owner string

@description('Further tags.')
param tags object = {}

@description('Makes names unique: lower-case letters and digits.')
@minLength(13)
param token string

@allowed([
  'public'
  'private_endpoint'
])
param networkMode string = 'public'

@description('Ids of what is there already and is used instead of being made.')
param adopted adoptedIds = {}

@description('Storage account of each domain that has its own.')
param storageOfDomains object = {}

@description('Domains that must be heard of every day.')
param domains string[] = []

@description('Who may drop files into the shared landing zone: {id, type}.')
param producers array = []

@description('Who may read what was published from the shared landing zone: {id, type}.')
param consumers array = []
param alertEmails string[] = []
param runbook string
param webhookOrigin string = ''
param apiClientId string = ''
param pythonVersion string = '3.11'
param instanceMemoryMB int = 2048
param maximumInstanceCount int = 40
param alwaysReady int = 0
param privateApi bool = false

type adoptedIds = {
  @description('Log Analytics workspace.')
  workspaceId: string?

  @description('Service Bus namespace; Premium in network mode private_endpoint.')
  serviceBusNamespaceId: string?

  @description('Key vault with RBAC.')
  keyVaultId: string?

  @description('Subnet delegated to Microsoft.App/environments, for the app\'s outgoing traffic.')
  appSubnetId: string?

  @description('Subnet for private endpoints; with it come appSubnetId and dnsZonesResourceGroupId.')
  endpointSubnetId: string?

  @description('Resource group with the private DNS zones.')
  dnsZonesResourceGroupId: string?
}

var hubTags = union(tags, {
  'mesh-domain': 'hub'
  'mesh-owner': owner
  'mesh-product': 'all'
})
var name = '${environmentName}-${take(token, 6)}'
var isPrivate = networkMode == 'private_endpoint'
var makesNetwork = isPrivate && empty(adopted.?endpointSubnetId ?? '')
var declaredStorage = loadJsonContent('../storage.json')
var node = loadJsonContent('../node.json')
var ownContainers = filter(declaredStorage.containers, container => !contains(node.containers, container))
var hostAccountName = 'sthost${token}'
var storageAccountName = 'stmesh${token}'
var packageContainer = 'app-package'
var signingKeyName = 'webhook-signing-key'
var namespaceId = adopted.?serviceBusNamespaceId ?? resourceId('Microsoft.ServiceBus/namespaces', 'sb-${name}')
var vaultName = 'kv-${take(token, 13)}'
var vaultId = adopted.?keyVaultId ?? resourceId('Microsoft.KeyVault/vaults', vaultName)
var networkName = 'vnet-${name}'
var endpointSubnetId = adopted.?endpointSubnetId ?? resourceId('Microsoft.Network/virtualNetworks/subnets', networkName, 'endpoints')
var appSubnetId = adopted.?appSubnetId ?? resourceId('Microsoft.Network/virtualNetworks/subnets', networkName, 'app')
var zonesGroupId = adopted.?dnsZonesResourceGroupId ?? resourceGroup().id
var zones = {
  blob: 'privatelink.blob.${environment().suffixes.storage}'
  table: 'privatelink.table.${environment().suffixes.storage}'
  namespace: 'privatelink.servicebus.windows.net'
  topic: 'privatelink.eventgrid.azure.net'
  vault: 'privatelink.vaultcore.azure.net'
  sites: 'privatelink.azurewebsites.net'
}
// A resource that is adopted has its endpoints already.
var endpoints = filter([
  {
    name: 'host-blob'
    part: 'blob'
    id: resourceId('Microsoft.Storage/storageAccounts', hostAccountName)
    wanted: true
  }
  {
    name: 'host-table'
    part: 'table'
    id: resourceId('Microsoft.Storage/storageAccounts', hostAccountName)
    wanted: true
  }
  {
    name: 'mesh-blob'
    part: 'blob'
    id: resourceId('Microsoft.Storage/storageAccounts', storageAccountName)
    wanted: true
  }
  {
    name: 'mesh-table'
    part: 'table'
    id: resourceId('Microsoft.Storage/storageAccounts', storageAccountName)
    wanted: true
  }
  {
    name: 'service-bus'
    part: 'namespace'
    id: namespaceId
    wanted: empty(adopted.?serviceBusNamespaceId ?? '')
  }
  {
    name: 'vault'
    part: 'vault'
    id: vaultId
    wanted: empty(adopted.?keyVaultId ?? '')
  }
  {
    name: 'event-topic'
    part: 'topic'
    id: resourceId('Microsoft.EventGrid/topics', '${loadJsonContent('../event-grid.json').topics[0].name}-${token}')
    wanted: true
  }
  {
    name: 'app'
    part: 'sites'
    id: resourceId('Microsoft.Web/sites', 'func-${name}')
    wanted: privateApi
  }
], endpoint => endpoint.wanted)

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-${name}'
  location: location
  tags: hubTags
}

module network 'network.bicep' = if (makesNetwork) {
  name: 'network'
  params: {
    name: networkName
    location: location
    tags: hubTags
    dnsZones: map(items(zones), zone => zone.value)
  }
}

module monitoring 'monitoring.bicep' = {
  name: 'monitoring'
  params: {
    name: name
    location: location
    tags: hubTags
    workspaceId: adopted.?workspaceId ?? ''
    appPrincipalId: identity.properties.principalId
  }
}

module serviceBus 'service-bus.bicep' = if (empty(adopted.?serviceBusNamespaceId ?? '')) {
  name: 'service-bus'
  params: {
    name: last(split(namespaceId, '/'))
    location: location
    tags: hubTags
    networkMode: networkMode
  }
}

module entities 'service-bus-entities.bicep' = {
  name: 'service-bus-entities-${take(token, 6)}'
  scope: resourceGroup(split(namespaceId, '/')[2], split(namespaceId, '/')[4])
  params: {
    namespaceName: last(split(namespaceId, '/'))
    appPrincipalId: identity.properties.principalId
    workspaceId: monitoring.outputs.workspaceId
  }
  dependsOn: [
    serviceBus
  ]
}

module hostStorage 'storage-account.bicep' = {
  name: 'host-storage'
  params: {
    name: hostAccountName
    location: location
    tags: hubTags
    networkMode: networkMode
    containers: [
      packageContainer
    ]
  }
}

module meshStorage 'storage-account.bicep' = {
  name: 'mesh-storage'
  params: {
    name: storageAccountName
    location: location
    tags: hubTags
    networkMode: networkMode
    containers: ownContainers
    tables: declaredStorage.tables
  }
}

module registry 'registry.bicep' = {
  name: 'registry'
  params: {
    accountName: meshStorage.outputs.name
    appPrincipalId: identity.properties.principalId
    containers: ownContainers
  }
}

// The landing zone of domains that have no storage of their own (yet).
module landingZone 'landing-zone.bicep' = {
  name: 'landing-zone'
  params: {
    accountName: meshStorage.outputs.name
    location: location
    tags: hubTags
    namespaceId: namespaceId
    appPrincipalId: identity.properties.principalId
    workspaceId: monitoring.outputs.workspaceId
    producers: producers
    consumers: consumers
  }
  dependsOn: [
    entities
  ]
}

module eventTopic 'event-topic.bicep' = {
  name: 'event-topic'
  params: {
    token: token
    location: location
    tags: hubTags
    networkMode: networkMode
    namespaceId: namespaceId
    appPrincipalId: identity.properties.principalId
    workspaceId: monitoring.outputs.workspaceId
    deadLetterAccountName: meshStorage.outputs.name
  }
  dependsOn: [
    entities
    landingZone
  ]
}

module vault 'key-vault.bicep' = if (empty(adopted.?keyVaultId ?? '')) {
  name: 'key-vault'
  params: {
    name: vaultName
    location: location
    tags: hubTags
    networkMode: networkMode
  }
}

module vaultReader 'vault-reader.bicep' = {
  name: 'vault-reader-${take(token, 6)}'
  scope: resourceGroup(split(vaultId, '/')[2], split(vaultId, '/')[4])
  params: {
    vaultName: last(split(vaultId, '/'))
    appPrincipalId: identity.properties.principalId
  }
  dependsOn: [
    vault
  ]
}

module privateEndpoints 'private-endpoint.bicep' = [for endpoint in endpoints: if (isPrivate) {
  name: 'endpoint-${endpoint.name}'
  params: {
    name: 'pe-${endpoint.name}-${name}'
    location: location
    tags: hubTags
    subnetId: endpointSubnetId
    resourceId: endpoint.id
    groupId: endpoint.part
    dnsZoneId: '${zonesGroupId}/providers/Microsoft.Network/privateDnsZones/${zones[endpoint.part]}'
  }
  dependsOn: [
    network
    hostStorage
    meshStorage
    serviceBus
    vault
    eventTopic
    app
  ]
}]

module app 'function-app.bicep' = {
  name: 'function-app'
  params: {
    name: name
    location: location
    tags: hubTags
    identity: {
      id: identity.id
      clientId: identity.properties.clientId
      principalId: identity.properties.principalId
    }
    hostAccountName: hostStorage.outputs.name
    hostBlobEndpoint: hostStorage.outputs.blobEndpoint
    packageContainer: packageContainer
    storageAccountName: meshStorage.outputs.name
    storageOfDomains: storageOfDomains
    serviceBusNamespace: entities.outputs.fullyQualifiedNamespace
    eventGridEndpoint: eventTopic.outputs.endpoint
    insightsConnectionString: monitoring.outputs.connectionString
    vaultUri: vaultReader.outputs.vaultUri
    signingKeyName: signingKeyName
    webhookOrigin: webhookOrigin
    apiClientId: apiClientId
    pythonVersion: pythonVersion
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    alwaysReady: alwaysReady
    subnetId: isPrivate ? appSubnetId : ''
    privateApi: privateApi
  }
  dependsOn: [
    network
  ]
}

module workbook 'workbook.bicep' = {
  name: 'workbook'
  params: {
    name: environmentName
    location: location
    tags: hubTags
    workspaceId: monitoring.outputs.workspaceId
  }
}

module alerts 'alerts.bicep' = {
  name: 'alerts'
  params: {
    location: location
    tags: hubTags
    workspaceId: monitoring.outputs.workspaceId
    emails: alertEmails
    runbook: runbook
    domains: domains
  }
}

output appName string = app.outputs.name
output appHostName string = app.outputs.hostName
output appPrincipalId string = identity.properties.principalId
output namespaceId string = namespaceId
output workspaceId string = monitoring.outputs.workspaceId
output workspaceCustomerId string = monitoring.outputs.workspaceCustomerId
output storageAccountName string = storageAccountName
output vaultId string = vaultId
output signingKeyName string = signingKeyName
output endpointSubnetId string = isPrivate ? endpointSubnetId : ''
output blobDnsZoneId string = isPrivate ? '${zonesGroupId}/providers/Microsoft.Network/privateDnsZones/${zones.blob}' : ''
