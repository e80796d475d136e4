# The same code with more of it: two workloads in subnets of their own, zones, names, an address for partners.
name        = "shop"
environment = "prod"
location    = "westeurope"
tags        = { owner = "platform" }

ssh_public_keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIUB7FRmGeYvWFWzkNYVnZxwVxnDtKQKFCyQMzvTQ0Bc replace-me"]

network = {
  address_space = ["10.30.0.0/16"]
  subnets = {
    api = {
      address_prefix = "10.30.1.0/24"
      ports          = ["8080"]
      calls          = ["8080", "5432"]
      outbound       = { packages = { priority = 200, destinations = ["Internet"], ports = ["443"], description = "Package mirrors." } }
    }
    database = { address_prefix = "10.30.2.0/24", ports = ["5432"] }
  }
  ssh         = { from = ["10.0.9.0/26"] }
  mesh        = { ranges = ["10.110.0.0/16", "10.30.0.0/16"], control_plane = ["10.110.0.10/32"] }
  private_dns = { zone = "prod.mesh.internal" }
}

machines = {
  shop-api-1    = { workload = "shop-api", subnet = "api", zone = "1" }
  shop-api-2    = { workload = "shop-api", subnet = "api", zone = "2" }
  payments-db-1 = { workload = "payments-db", subnet = "database", zone = "1", size = "Standard_E4s_v5", data_disks = { data = { lun = 0, size_gb = 256 } } }
}
