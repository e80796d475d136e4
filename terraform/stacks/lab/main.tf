locals {
  folder = "${var.lab.folder}/${var.lab.name}/machines"

  # Reality, as the lab tells it: an added machine has a record that is written last and taken away first.
  there = { for name in keys(var.machines) : name => try(jsondecode(file("${local.folder}/${name}/machine.json")), null) }

  # A machine carries the tag that it was made with. One that is there keeps its tag, so nothing changes; one that
  # is missing gets a new tag, and one that somebody else made has another: both are planned as a replacement.
  tags = { for name in keys(var.machines) : name => local.there[name] == null ? plantimestamp() : local.there[name].tag }
}

resource "terraform_data" "machine" {
  for_each = var.machines

  triggers_replace = {
    image = each.value.image
    app   = each.value.app
    tag   = local.tags[each.key]
  }

  # What a destroy needs: it may look at nothing but the resource itself.
  input = {
    checkout = var.lab.checkout
    command  = concat(var.lab.command, ["--name", var.lab.name, "machine"])
    folder   = "${local.folder}/${each.key}"
  }

  # The command's words are the interpreter's, so that no shell reads them.
  provisioner "local-exec" {
    working_dir = self.input.checkout
    interpreter = concat(self.input.command, [
      "add", "--image", self.triggers_replace.image, "--app", self.triggers_replace.app, "--tag", self.triggers_replace.tag,
    ])
    command = each.key
  }

  provisioner "local-exec" {
    when        = destroy
    working_dir = self.input.checkout
    interpreter = concat(self.input.command, ["remove"])
    command     = each.key
  }
}
