// What a workspace is asked by: `mesh where --telemetry` needs it.

param name string

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-02-01' existing = {
  name: name
}

@description('A GUID.')
output customerId string = workspace.properties.customerId
