# Plans only: nothing is started. The lab itself is tested by the scenario that runs this stack.
variables {
  lab = { name = "none", checkout = "/nowhere" }
}

run "machines_are_told_by_name_as_every_stack_does" {
  command = plan

  variables {
    machines = {
      cart-1 = { workload = "cart", app = "shop-api", tags = { team = "shop" } }
      till-1 = { workload = "till", image = "trixie" }
    }
  }

  assert {
    condition     = toset(keys(terraform_data.machine)) == toset(["cart-1", "till-1"])
    error_message = "There must be one resource for each machine, by its name."
  }

  assert {
    condition     = terraform_data.machine["till-1"].triggers_replace.image == "trixie"
    error_message = "Another image must be another machine."
  }

  assert {
    condition     = terraform_data.machine["cart-1"].triggers_replace.tag != ""
    error_message = "A machine that is not there must get a new tag."
  }

  assert {
    condition     = terraform_data.machine["cart-1"].input.command == [".venv/bin/python", "-m", "lab", "--name", "none", "machine"]
    error_message = "Machines are made by the lab's own command, of the lab that was given."
  }
}

run "no_machines_is_an_empty_map" {
  command = plan

  assert {
    condition     = output.mesh_machines == {}
    error_message = "Without machines the output must be empty, and there."
  }
}

run "names_are_checked" {
  command = plan

  variables {
    machines = { "Cart_1" = { workload = "cart" } }
  }

  expect_failures = [var.machines]
}

run "workloads_are_checked" {
  command = plan

  variables {
    machines = { cart-1 = { workload = "1 cart" } }
  }

  expect_failures = [var.machines]
}

run "images_are_checked" {
  command = plan

  variables {
    machines = { cart-1 = { workload = "cart", image = "sid" } }
  }

  expect_failures = [var.machines]
}

run "apps_are_checked" {
  command = plan

  variables {
    machines = { cart-1 = { workload = "cart", app = "nginx" } }
  }

  expect_failures = [var.machines]
}

run "an_app_needs_an_image_that_has_it" {
  command = plan

  variables {
    machines = { db-1 = { workload = "db", app = "postgresql", image = "trixie" } }
  }

  expect_failures = [var.machines]
}

run "paths_are_absolute" {
  command = plan

  variables {
    lab = { checkout = "here" }
  }

  expect_failures = [var.lab]
}

run "a_command_has_a_word" {
  command = plan

  variables {
    lab = { checkout = "/nowhere", command = [] }
  }

  expect_failures = [var.lab]
}
