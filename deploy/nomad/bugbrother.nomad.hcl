# Ingest, notifiers and dashboards, each as a group of one job; PostgreSQL and the broker are elsewhere.
#   nomad job run -var=image=registry.example.org/bugbrother:0.1.0 -var=name=fleet.example.org deploy/nomad/bugbrother.nomad.hcl
# Each client has a host volume `bugbrother`: the folder that `bugbrother --data FOLDER init cluster --folder FOLDER/settings` makes
# once, copied to every client with its modes (owner 10001) before anything is started there: authority, keys and passwords are in it,
# and the database's address in settings/database.url.
variable "image" {
  type    = string
  default = "bugbrother:latest"
}

# Where the services find the broker, and where vehicles do.
variable "broker" {
  type    = string
  default = "mqtts://broker.example.org:8884"
}

variable "public_broker" {
  type    = string
  default = "mqtts://broker.example.org:8883"
}

# Where browsers and vehicles find the load balancer before the dashboards.
variable "name" {
  type    = string
  default = "fleet.example.org"
}

# What is different. `load` is asked by nomad-autoscaler: there are more of a service while it is above `target` for each.
locals {
  services = {
    # Each has its share of the vehicles, by the broker's shared subscription.
    ingest = {
      args   = ["ingest", "--shared-group", "ingest"]
      ports  = { metrics = 9464 }
      most   = 16
      memory = 256
      load   = "avg(rate(bugbrother_process_cpu_milliseconds_total{service=\"bugbrother-ingest-metrics\"}[2m])) / 1000"
      target = 0.66
    }

    # They share the vehicles by leases in the database; one that is lost is followed within ten seconds.
    notifier = {
      args   = ["notifier"]
      ports  = { metrics = 9464 }
      most   = 8
      memory = 256
      load   = "avg(rate(bugbrother_process_cpu_milliseconds_total{service=\"bugbrother-notifier-metrics\"}[2m])) / 1000"
      target = 0.66
    }

    # Behind a load balancer, which asks Consul for those that are ready. Each keeps nothing but the photos, films and documents of
    # its volume: give them a shared one (NFS, CSI) or a bucket (BUGBROTHER_MEDIA_URL), which is for all three.
    dashboard = {
      args   = ["dashboard"]
      ports  = { metrics = 9464, http = 8080 }
      most   = 8
      memory = 512
      load   = "avg(bugbrother_dashboard_live_viewers{service=\"bugbrother-dashboard-metrics\"})"
      target = 500
    }
  }
}

job "bugbrother" {
  type = "service"

  update {
    max_parallel     = 1
    health_check     = "checks"
    min_healthy_time = "15s"
    healthy_deadline = "5m"
    auto_revert      = true
  }

  # On machines that fail apart from each other.
  spread {
    attribute = "${node.unique.id}"
  }

  dynamic "group" {
    for_each = local.services
    labels   = [group.key]

    content {
      count = 2

      scaling {
        enabled = true
        min     = 2
        max     = group.value.most

        policy {
          cooldown            = "2m"
          evaluation_interval = "30s"

          check "load" {
            source = "prometheus"
            query  = group.value.load

            strategy "target-value" {
              target = group.value.target
            }
          }
        }
      }

      volume "data" {
        type   = "host"
        source = "bugbrother"
      }

      network {
        mode = "bridge"

        dynamic "port" {
          for_each = group.value.ports
          labels   = [port.key]

          content {
            to = port.value
          }
        }
      }

      # In Consul: bugbrother-dashboard-http is what a load balancer asks for, and …-metrics what Prometheus does.
      dynamic "service" {
        for_each = group.value.ports

        content {
          name = "bugbrother-${group.key}-${service.key}"
          port = service.key
          tags = [service.key]

          check {
            name     = "ready"
            type     = "http"
            path     = "/readyz"
            interval = "10s"
            timeout  = "5s"
          }
        }
      }

      restart {
        attempts = 10
        interval = "10m"
        delay    = "5s"
        mode     = "delay"
      }

      task "service" {
        driver       = "docker"
        kill_timeout = "45s"

        config {
          image           = var.image
          args            = group.value.args
          readonly_rootfs = true

          ulimit {
            nofile = "65536"
          }

          mount {
            type   = "tmpfs"
            target = "/tmp"
          }
        }

        volume_mount {
          volume      = "data"
          destination = "/data"
        }

        # What is not of a service, it does not mind.
        env {
          BUGBROTHER_DATA          = "/data"
          BUGBROTHER_DATABASE_FILE = "/data/settings/database.url"
          BUGBROTHER_BROKER        = var.broker
          BUGBROTHER_BROKER_CA     = "/data/access/ca.crt"
          BUGBROTHER_METRICS       = "0.0.0.0:9464"
          BUGBROTHER_HTTP          = "0.0.0.0:8080"
          BUGBROTHER_ALLOW_PLAIN   = "true"
          BUGBROTHER_PUBLIC_URL    = "https://${var.name}"
          BUGBROTHER_PUBLIC_BROKER = var.public_broker
        }

        resources {
          cpu        = 1000
          memory     = group.value.memory
          memory_max = group.value.memory * 2
        }
      }
    }
  }
}
