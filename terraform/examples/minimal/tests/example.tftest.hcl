mock_provider "azurerm" {
  source = "../../tests/mocks"
}

variables {
  ssh_public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIUB7FRmGeYvWFWzkNYVnZxwVxnDtKQKFCyQMzvTQ0Bc ops"
}

run "example" {
  assert {
    condition     = output.mesh_machines["shop-api-1"].address == "10.20.1.4" && output.egress_address == "203.0.113.7"
    error_message = "The machine has its address, and a fixed way out."
  }
}
