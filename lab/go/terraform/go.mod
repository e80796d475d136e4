// Terraform itself, and the generator of the modules' README files.
module brownfield.mesh/lab/go/terraform

go 1.26

tool (
	github.com/hashicorp/terraform
	github.com/terraform-docs/terraform-docs
)

require github.com/hashicorp/terraform v1.13.3
