// The mesh in pictures: `workbook.json`, whose queries the tests hold to the tables and the telemetry.

param name string
param location string
param tags object
param workspaceId string

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(resourceGroup().id, 'mesh-workbook')
  location: location
  kind: 'shared'
  tags: tags
  properties: {
    displayName: 'Mesh ${name}'
    category: 'workbook'
    sourceId: workspaceId
    serializedData: loadTextContent('../workbook.json')
    version: '1.0'
  }
}

output id string = workbook.id
