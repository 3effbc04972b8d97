# The images, for `docker buildx bake`; `docker compose build` builds the same targets of the same
# Dockerfile. Variables come from the environment; `make images` also reads .env. From the root:
#   docker buildx bake -f images/bake.hcl                      for this machine, into its Docker
#   PLATFORMS=linux/arm64 docker buildx bake -f images/bake.hcl site      what a site needs, for arm64
#   PLATFORMS=linux/amd64,linux/arm64 ATTEST=yes docker buildx bake -f images/bake.hcl --push
# The last needs a builder of its own (`docker buildx create --use`): Docker's built-in one makes
# one platform at a time and no attestations.
variable "PYTHON_IMAGE" { default = "" }
variable "BUILD_IMAGE" { default = "" }
variable "PLATFORMS" { default = "" }
variable "ATTEST" { default = "" }
variable "GUSTBED_REGISTRY" { default = "gustbed" }
variable "GUSTBED_TAG" { default = "latest" }
variable "GUSTBED_VERSION" { default = "unknown" }
variable "GUSTBED_REVISION" { default = "unknown" }
variable "GUSTBED_SOURCE" { default = "unknown" }
variable "GUSTBED_CA_FILE" { default = "/dev/null" }
variable "GUSTBED_WHEELS" { default = "" }
variable "TORCH_INDEX_URL" { default = "https://download.pytorch.org/whl/cpu" }
variable "PIP_INDEX_URL" { default = "" }
variable "PIP_EXTRA_INDEX_URL" { default = "" }
variable "PIP_TRUSTED_HOST" { default = "" }

group "default" {
  targets = ["site", "shore"]
}

group "site" {
  targets = ["broker", "twin", "edge"]
}

group "shore" {
  targets = ["cloud", "dashboard", "emulator"]
}

target "common" {
  context    = "."
  dockerfile = "images/Dockerfile"
  platforms  = PLATFORMS == "" ? [] : split(",", PLATFORMS)
  attest     = ATTEST == "" ? [] : ["type=provenance,mode=max", "type=sbom"]
  secret     = ["id=ca,src=${GUSTBED_CA_FILE}"]
  args = {
    # null: the Dockerfile's own
    PYTHON_IMAGE        = PYTHON_IMAGE == "" ? null : PYTHON_IMAGE
    BUILD_IMAGE         = BUILD_IMAGE == "" ? null : BUILD_IMAGE
    PIP_INDEX_URL       = PIP_INDEX_URL == "" ? null : PIP_INDEX_URL
    PIP_EXTRA_INDEX_URL = PIP_EXTRA_INDEX_URL == "" ? null : PIP_EXTRA_INDEX_URL
    PIP_TRUSTED_HOST    = PIP_TRUSTED_HOST == "" ? null : PIP_TRUSTED_HOST
    VERSION             = GUSTBED_VERSION
    REVISION            = GUSTBED_REVISION
    SOURCE              = GUSTBED_SOURCE
  }
}

target "image" {
  name     = image
  matrix   = { image = ["broker", "twin", "edge", "cloud", "dashboard", "emulator"] }
  inherits = ["common"]
  target   = image
  tags     = ["${GUSTBED_REGISTRY}/${image}:${GUSTBED_TAG}"]
}

target "training" {
  inherits = ["common"]
  target   = "training"
  tags     = ["${GUSTBED_REGISTRY}/training:${GUSTBED_TAG}"]
  args     = { TORCH_INDEX_URL = TORCH_INDEX_URL }
  contexts = GUSTBED_WHEELS == "" ? {} : { wheels = GUSTBED_WHEELS }
}
