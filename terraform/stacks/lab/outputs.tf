output "mesh_machines" {
  description = "The machines, by name, as the inventory reads them from every stack."
  value = {
    for name, machine in var.machines : name => {
      # `output` is known once the machine is there; only then is the file read.
      address     = file("${terraform_data.machine[name].output.folder}/address")
      user        = "ops"
      ssh_port    = 22
      workload    = machine.workload
      environment = machine.environment
      location    = null
      zone        = null
      resource_id = null
      tags        = machine.tags
    }
  }
}
