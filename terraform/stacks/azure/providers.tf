# Who and where is the environment's: ARM_SUBSCRIPTION_ID, ARM_TENANT_ID, ARM_CLIENT_ID, and ARM_USE_OIDC=true from CI.
provider "azurerm" {
  features {
    # A machine whose creation is cut off half way is in the state, so that the next run replaces it and does not run into it.
    persist_id_on_create_before_polling_for_completion = true
  }
}
