#include "esper/configs/schema.h"

#include "esper/configs/choice.h"

namespace esper::configs {
namespace {

template <typename T>
struct MemberOf;
template <typename Struct, typename Member>
struct MemberOf<Member Struct::*> {
    using Owner = Struct;
    using Type = Member;
};

template <typename T>
concept Section = requires(T) { typename T::Self; };

}  // namespace

/// Walks the sections' declarations and notes each key.
class SchemaBuilder {
  public:
    SchemaBuilder(std::vector<Key>& keys, std::size_t section) : keys_(keys), section_(section) {}

    template <auto kMember>
    void key(std::string_view name, const Rule& rule, std::string_view meaning) {
        using Owner = typename MemberOf<decltype(kMember)>::Owner;
        using Type = typename MemberOf<decltype(kMember)>::Type;
        const std::string& above = keys_[section_].path;
        Key key;
        key.path = above.empty() ? std::string(name) : above + "." + std::string(name);
        key.name = name;
        key.meaning = meaning;
        key.rule = rule;
        key.parent = section_;
        key.member = [](void* owner) -> void* { return &(static_cast<Owner*>(owner)->*kMember); };
        if constexpr (contracts::ContractEnum<Type>) {
            key.type = &choice_type<Type>();
        } else if constexpr (!Section<Type>) {
            key.type = &value_type<Type>();
        }
        const std::size_t index = keys_.size();
        keys_.push_back(std::move(key));
        keys_[section_].children.push_back(index);
        if constexpr (Section<Type>) {
            SchemaBuilder below(keys_, index);
            Type::describe(below);
        }
    }

  private:
    std::vector<Key>& keys_;
    std::size_t section_;
};

Schema::Schema() {
    keys_.emplace_back();
    SchemaBuilder builder(keys_, kRoot);
    EsperConfig::describe(builder);
}

const Schema& Schema::instance() {
    static const Schema schema;
    return schema;
}

std::size_t Schema::child(std::size_t section, std::string_view name) const {
    for (const std::size_t index : keys_[section].children) {
        if (keys_[index].name == name) return index;
    }
    return kNone;
}

std::size_t Schema::find(std::string_view path) const {
    std::size_t at = kRoot;
    while (true) {
        const auto dot = path.find('.');
        at = child(at, path.substr(0, dot));
        if (at == kNone || dot == std::string_view::npos) return at;
        path.remove_prefix(dot + 1);
    }
}

std::string Schema::environment_name(const Key& key) {
    std::string name = "ESPER_";
    for (const char c : key.path) {
        if (c == '.') {
            name += "__";
        } else {
            name += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
        }
    }
    return name;
}

void* Schema::locate(EsperConfig& config, std::size_t key) const {
    if (key == kRoot) return &config;
    return keys_[key].member(locate(config, keys_[key].parent));
}

const void* Schema::locate(const EsperConfig& config, std::size_t key) const {
    // The way down only takes addresses.
    return locate(const_cast<EsperConfig&>(config), key);
}

std::vector<std::string> Schema::child_names(std::size_t section) const {
    std::vector<std::string> names;
    for (const std::size_t index : keys_[section].children) names.emplace_back(keys_[index].name);
    return names;
}

std::vector<std::string> Schema::paths_named(std::string_view name) const {
    std::vector<std::string> paths;
    for (const Key& key : keys_) {
        if (!key.path.empty() && key.name == name) paths.push_back(key.path);
    }
    return paths;
}

}  // namespace esper::configs
