#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "esper/configs/config.h"
#include "esper/configs/values.h"

namespace esper::configs {

/// One key of the configuration, or a section of keys.
struct Key {
    std::string path;  ///< `growth.gate.delta`; empty for the root
    std::string_view name;
    std::string_view meaning;
    Rule rule;
    const ValueType* type = nullptr;  ///< null for a section
    std::size_t parent = 0;
    std::vector<std::size_t> children;  ///< keys of a section, in order of declaration
    void* (*member)(void*) = nullptr;   ///< returns this key's member of the parent's struct

    bool is_section() const { return type == nullptr; }
};

/// All keys of EsperConfig, from the declarations of its sections. Built once; immutable, so any
/// thread may use it.
class Schema {
  public:
    static const Schema& instance();

    const std::vector<Key>& keys() const { return keys_; }
    const Key& operator[](std::size_t index) const { return keys_[index]; }
    static constexpr std::size_t kRoot = 0;
    static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

    /// Finds a section's key by its name; kNone if there is none.
    std::size_t child(std::size_t section, std::string_view name) const;
    /// Finds a key by its dotted path; kNone if there is none.
    std::size_t find(std::string_view path) const;
    /// The name of a key's environment variable (`ESPER_GROWTH__GATE__DELTA`).
    static std::string environment_name(const Key& key);

    void* locate(EsperConfig& config, std::size_t key) const;
    const void* locate(const EsperConfig& config, std::size_t key) const;

    std::vector<std::string> child_names(std::size_t section) const;
    /// Paths of the keys with this last name, in all sections.
    std::vector<std::string> paths_named(std::string_view name) const;

  private:
    Schema();
    friend class SchemaBuilder;
    std::vector<Key> keys_;
};

}  // namespace esper::configs
