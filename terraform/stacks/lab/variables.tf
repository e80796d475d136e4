variable "machines" {
  description = "The machines, by name. The name is the host's name in the inventory."
  type = map(object({
    workload    = string
    environment = optional(string, "lab")
    image       = optional(string, "bookworm")
    app         = optional(string, "")
    tags        = optional(map(string), {})
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for name in keys(var.machines) : can(regex("^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$", name))])
    error_message = "A machine's name has up to 40 lower-case letters, digits and inner dashes, for example cart-1."
  }

  validation {
    condition     = alltrue([for machine in values(var.machines) : can(regex("^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$", machine.workload))])
    error_message = "`workload` names the mesh workload: a lower-case letter, then letters, digits and inner dashes, for example cart."
  }

  validation {
    condition     = alltrue([for machine in values(var.machines) : contains(["bookworm", "trixie"], machine.image)])
    error_message = "`image` is bookworm (Debian 12) or trixie (Debian 13)."
  }

  validation {
    condition     = alltrue([for machine in values(var.machines) : contains(["", "shop-api", "postgresql"], machine.app)])
    error_message = "`app` is shop-api (HTTP on port 8080), postgresql (bookworm only), or empty for a machine that serves nothing."
  }

  validation {
    condition     = alltrue([for machine in values(var.machines) : machine.app != "postgresql" || machine.image == "bookworm"])
    error_message = "Only the image bookworm has postgresql: write image = \"bookworm\", or another app."
  }
}

variable "lab" {
  description = <<-EOT
    The lab that the machines are added to; it must be up.
    `command` is how it is called, `checkout` the folder to call it in, `folder` where it keeps its machines.
  EOT
  type = object({
    name     = optional(string, "lab")
    checkout = string
    command  = optional(list(string), [".venv/bin/python", "-m", "lab"])
    folder   = optional(string, "/var/lib/brownfield-lab")
  })
  nullable = false

  validation {
    condition     = startswith(var.lab.checkout, "/") && startswith(var.lab.folder, "/")
    error_message = "`checkout` and `folder` are absolute paths."
  }

  validation {
    condition     = length(var.lab.command) > 0
    error_message = "`command` has one word at least, for example [\".venv/bin/python\", \"-m\", \"lab\"]."
  }
}
