#pragma once

#include <string>

namespace esper::configs {

/// JSON Schema (draft 2020-12) of a configuration file, for editors that complete and check YAML.
/// Published as docs/config.schema.json.
std::string json_schema();

/// All keys with their accepted values, defaults and meanings, as Markdown. Published as
/// docs/configuration.md.
std::string configuration_reference();

}  // namespace esper::configs
