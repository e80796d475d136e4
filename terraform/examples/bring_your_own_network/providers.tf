provider "azurerm" {
  features {
    # A machine whose creation is cut off half way is in the state, so that the next run replaces it and does not run into it.
    persist_id_on_create_before_polling_for_completion = true
  }
}
