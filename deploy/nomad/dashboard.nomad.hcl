# Dashboards behind a load balancer, which asks Consul for those that are ready. Each keeps nothing but the films of its volume:
# give them a shared one (NFS, CSI) where there are cameras.
#   nomad job run -var=image=registry.example.org/bugbrother:0.1.0 deploy/nomad/dashboard.nomad.hcl
# Each client has a host volume `bugbrother`: the folder that `bugbrother --data FOLDER init cluster --folder FOLDER/settings` makes
# once, copied to every client with its modes (owner 10001), with the database's address in settings/database.url.
variable "image" {
  type    = string
  default = "bugbrother:latest"
}

variable "broker" {
  type    = string
  default = "mqtts://broker.example.org:8883"
}

job "bugbrother-dashboard" {
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

  group "dashboard" {
    count = 2

    # By nomad-autoscaler: more of them while each has more than 500 open pages.
    scaling {
      enabled = true
      min     = 2
      max     = 8

      policy {
        cooldown            = "2m"
        evaluation_interval = "30s"

        check "load" {
          source = "prometheus"
          query  = "avg(bugbrother_dashboard_live_viewers{service=\"bugbrother-dashboard-metrics\"})"

          strategy "target-value" {
            target = 500
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

      port "metrics" {
        to = 9464
      }

      port "http" {
        to = 8080
      }
    }

    service {
      name = "bugbrother-dashboard"
      port = "http"
      tags = ["web"]

      check {
        name     = "ready"
        type     = "http"
        path     = "/readyz"
        interval = "10s"
        timeout  = "5s"
      }
    }

    service {
      name = "bugbrother-dashboard-metrics"
      port = "metrics"
      tags = ["metrics"]

      check {
        name     = "ready"
        type     = "http"
        path     = "/readyz"
        interval = "10s"
        timeout  = "5s"
      }
    }


    restart {
      attempts = 10
      interval = "10m"
      delay    = "5s"
      mode     = "delay"
    }

    task "dashboard" {
      driver       = "docker"
      kill_timeout = "45s"

      config {
        image           = var.image
        args            = ["dashboard"]
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

      env {
        BUGBROTHER_DATA          = "/data"
        BUGBROTHER_DATABASE_FILE = "/data/settings/database.url"
        BUGBROTHER_BROKER        = var.broker
        BUGBROTHER_METRICS       = "0.0.0.0:9464"
        BUGBROTHER_ALLOW_PLAIN   = "true"
        BUGBROTHER_HTTP          = "0.0.0.0:8080"
        BUGBROTHER_PUBLIC_URL    = "https://fleet.example.org"
        BUGBROTHER_PUBLIC_BROKER = "mqtts://broker.example.org:8883"
      }

      resources {
        cpu        = 1000
        memory     = 512
        memory_max = 1024
      }
    }
  }
}
