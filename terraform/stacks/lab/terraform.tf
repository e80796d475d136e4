terraform {
  # plantimestamp() and terraform_data.
  required_version = ">= 1.9, < 2.0"

  # Where the state lies is the caller's choice (-backend-config=path=...); by default beside this file.
  backend "local" {}
}
