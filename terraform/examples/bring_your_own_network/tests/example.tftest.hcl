mock_provider "azurerm" {
  source = "../../tests/mocks"
}

variables {
  ssh_public_key      = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIUB7FRmGeYvWFWzkNYVnZxwVxnDtKQKFCyQMzvTQ0Bc ops"
  resource_group_name = "shop-dev"
  subnet              = { resource_group_name = "network", virtual_network_name = "network", name = "machines" }
}

run "example" {
  assert {
    condition     = keys(output.mesh_machines) == ["shop-api-1"]
    error_message = "The machine goes into the subnet that is there."
  }
}
