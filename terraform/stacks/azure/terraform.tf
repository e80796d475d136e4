terraform {
  # Validations that look at other variables.
  required_version = ">= 1.9, < 2.0"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = ">= 5.1, < 6.0"
    }
  }

  # Which storage account, container and key: environments/NAME.tfbackend. Who: the environment (ARM_*), with Entra ID,
  # never with an account's key.
  backend "azurerm" {
    use_azuread_auth = true
  }
}
