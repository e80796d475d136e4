# One small machine, no zones to pay for.
name        = "shop"
environment = "dev"
location    = "westeurope"
tags        = { owner = "platform" }

ssh_public_keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIUB7FRmGeYvWFWzkNYVnZxwVxnDtKQKFCyQMzvTQ0Bc replace-me"]

network = {
  address_space = ["10.20.0.0/16"]
  subnets       = { machines = { address_prefix = "10.20.1.0/24", ports = ["8080"], calls = ["8080", "5432"] } }
  ssh           = { from = ["10.0.9.0/26"] }
  mesh          = { ranges = ["10.100.0.0/16"], control_plane = ["10.100.0.10/32"] }
}

machines = {
  shop-api-1 = { workload = "shop-api", subnet = "machines", size = "Standard_B2s_v2" }
}
