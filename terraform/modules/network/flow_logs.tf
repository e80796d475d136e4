resource "azurerm_network_watcher_flow_log" "this" {
  # checkov:skip=CKV_AZURE_12:90 days by default (retention_days), as the tests assert; the scanner does not follow defaults of an object.

  count = var.flow_logs == null ? 0 : 1

  name                 = var.name
  network_watcher_name = var.flow_logs.network_watcher_name
  resource_group_name  = var.flow_logs.network_watcher_resource_group_name
  location             = var.location
  target_resource_id   = azurerm_virtual_network.this.id
  storage_account_id   = var.flow_logs.storage_account_id
  enabled              = true
  version              = 2
  tags                 = var.tags

  retention_policy {
    enabled = var.flow_logs.retention_days > 0
    days    = var.flow_logs.retention_days
  }

  dynamic "traffic_analytics" {
    for_each = var.flow_logs.traffic_analytics[*]

    content {
      enabled               = true
      workspace_id          = traffic_analytics.value.workspace_id
      workspace_region      = traffic_analytics.value.workspace_region
      workspace_resource_id = traffic_analytics.value.workspace_resource_id
      interval_in_minutes   = 10
    }
  }
}
