// The Service Bus namespace of the hub. Private endpoints need the Premium tier.

param name string
param location string
param tags object

@allowed([
  'public'
  'private_endpoint'
])
param networkMode string

var isPrivate = networkMode == 'private_endpoint'

resource namespace 'Microsoft.ServiceBus/namespaces@2024-01-01' = {
  name: name
  location: location
  tags: tags
  sku: {
    name: isPrivate ? 'Premium' : 'Standard'
    tier: isPrivate ? 'Premium' : 'Standard'
    // Messaging units; Standard has none.
    capacity: isPrivate ? 1 : null
  }
  properties: {
    disableLocalAuth: true
    minimumTlsVersion: '1.2'
    publicNetworkAccess: isPrivate ? 'Disabled' : 'Enabled'
  }
}

resource rules 'Microsoft.ServiceBus/namespaces/networkRuleSets@2024-01-01' = if (isPrivate) {
  parent: namespace
  name: 'default'
  properties: {
    publicNetworkAccess: 'Disabled'
    defaultAction: 'Deny'
    // Event Grid delivers from outside of the virtual network, as a trusted service with an identity.
    trustedServiceAccessEnabled: true
  }
}

output id string = namespace.id
