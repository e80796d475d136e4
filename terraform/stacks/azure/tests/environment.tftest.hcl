# The environments' own files, one at a time: scripts/terraform runs this with -var-file.

mock_provider "azurerm" {
  source = "../../tests/mocks"
}

run "environment" {
  assert {
    condition     = length(output.mesh_machines) == length(var.machines) && alltrue([for machine in output.mesh_machines : machine.environment == var.environment])
    error_message = "Every machine of the environment is made."
  }
}
