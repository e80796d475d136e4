variable "location" {
  description = "Azure region."
  type        = string
  default     = "westeurope"
  nullable    = false
}

variable "ssh_public_key" {
  description = "Public SSH key that may log in, for example trimspace(file(\"~/.ssh/id_ed25519.pub\"))."
  type        = string
  nullable    = false
}

variable "controller" {
  description = "Range that Ansible connects from."
  type        = string
  default     = "10.0.9.0/26"
  nullable    = false
}

variable "cluster" {
  description = "Range of the cluster's pods."
  type        = string
  default     = "10.100.0.0/16"
  nullable    = false
}

variable "control_plane" {
  description = "Address of istiod, or of the gateway before it, as a range."
  type        = string
  default     = "10.100.0.10/32"
  nullable    = false
}
