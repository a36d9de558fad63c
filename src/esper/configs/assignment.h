#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "esper/configs/problems.h"
#include "esper/configs/schema.h"

namespace esper::configs {

/// A configuration while its sources are laid over each other, weakest first. Keeps where each
/// value came from, and everything that is wrong.
class Assignment {
  public:
    Assignment();

    /// Sets one key from a scalar (one item) or a list; a value that its key does not take becomes
    /// a problem and changes nothing.
    void set(std::size_t key, std::span<const std::string_view> items, bool is_list,
             const Origin& origin);

    /// Sets one key from a text outside YAML (command line, environment, profile), where a list is
    /// `a,b` or `[a, b]`.
    void set_from_text(std::size_t key, std::string_view text, const Origin& origin);

    /// Gives the key its default back, as if no source had set it.
    void reset(std::size_t key);

    /// The key with this dotted path. Where there is none, or it is a section, that becomes a
    /// problem and kNone comes back.
    std::size_t find_key(std::string_view path, const Origin& origin);

    /// Reports a name that the section does not have, with what may have been meant.
    void unknown_key(std::size_t section, std::string_view name, const Origin& origin);

    const EsperConfig& config() const { return config_; }
    Problems& problems() { return problems_; }
    /// Where the key's value came from; "default" where nothing set it.
    const Origin& origin(std::size_t key) const { return origins_[key]; }
    /// True when some source gave the key a value that it does not take.
    bool refused(std::size_t key) const { return refused_[key]; }

  private:
    void refuse(std::size_t key, std::span<const std::string_view> items, bool is_list,
                const Origin& origin);

    const Schema& schema_;
    EsperConfig config_;
    std::vector<Origin> origins_;
    std::vector<bool> refused_;
    Problems problems_;
};

}  // namespace esper::configs
