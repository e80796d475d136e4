# Who and where is the environment's: ARM_SUBSCRIPTION_ID, ARM_TENANT_ID, ARM_CLIENT_ID, and ARM_USE_OIDC=true from CI.
provider "azurerm" {
  storage_use_azuread = true

  features {}
}
