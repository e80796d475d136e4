# The version that is used, exactly. Checksums are those of the registry that you install from; `terraform init` adds them:
# commit them in your own copy. Here there are none, because tests install a provider that was built from its source, whose
# checksum is another.

provider "registry.terraform.io/hashicorp/azurerm" {
  version     = "5.2.0"
  constraints = ">= 5.1.0, < 6.0.0"
}
