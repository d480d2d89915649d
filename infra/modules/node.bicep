// The node of one domain: its own storage, with a landing zone that announces files to the hub.
// Deployable alone, into the domain's resource group, with the hub's ids:
//
//   az deployment group create --resource-group RG --template-file infra/modules/node.bicep --parameters …
//
// The app learns of the account by its setting STORAGE_OF_DOMAINS (docs/deployment.md).

@description('The domain\'s name: lower-case words, joined by hyphens.')
@minLength(1)
param domain string

@description('Who answers for the domain: a team, or an address.')
param owner string

@description('Name of the domain\'s storage account, made or adopted.')
@minLength(3)
@maxLength(24)
param accountName string
param location string = resourceGroup().location

@allowed([
  'public'
  'private_endpoint'
])
param networkMode string = 'public'

@description('Products of the domain, for the tag `mesh-product`.')
param products string[] = []

@description('Groups, or workloads, that may drop files: {id, type}.')
param producers array = []

@description('Groups, or workloads, that may read what was published: {id, type}.')
param consumers array = []

@description('Whether the account is there already; it is not changed then, but gets containers and a landing zone.')
param isAdopted bool = false

@description('System topic of an adopted account that has one already.')
param existingSystemTopicName string = ''

@description('Id of the hub\'s Service Bus namespace.')
param namespaceId string

@description('Object id of the identity that the hub\'s app runs as.')
param appPrincipalId string

@description('Id of the hub\'s Log Analytics workspace.')
param workspaceId string

@description('Subnet for the private endpoint, in network mode `private_endpoint`.')
param endpointSubnetId string = ''

@description('Private DNS zone for blobs, in network mode `private_endpoint`.')
param blobDnsZoneId string = ''

@description('Further tags.')
param tags object = {}

var nodeTags = union(tags, {
  'mesh-domain': domain
  'mesh-owner': owner
  'mesh-product': empty(products) ? 'all' : take(join(products, ' '), 256)
})

module storage 'storage-account.bicep' = if (!isAdopted) {
  name: 'storage-${domain}'
  params: {
    name: accountName
    location: location
    tags: nodeTags
    networkMode: networkMode
  }
}

module landingZone 'landing-zone.bicep' = {
  name: 'landing-zone-${domain}'
  params: {
    accountName: accountName
    location: location
    tags: nodeTags
    namespaceId: namespaceId
    appPrincipalId: appPrincipalId
    workspaceId: workspaceId
    producers: producers
    consumers: consumers
    ownsLifecycle: !isAdopted
    existingSystemTopicName: existingSystemTopicName
  }
  dependsOn: [
    storage
  ]
}

module endpoint 'private-endpoint.bicep' = if (networkMode == 'private_endpoint' && !isAdopted) {
  name: 'endpoint-${domain}'
  params: {
    name: 'pe-${accountName}-blob'
    location: location
    tags: nodeTags
    subnetId: endpointSubnetId
    resourceId: resourceId('Microsoft.Storage/storageAccounts', accountName)
    groupId: 'blob'
    dnsZoneId: blobDnsZoneId
  }
  dependsOn: [
    storage
  ]
}

output accountName string = accountName
