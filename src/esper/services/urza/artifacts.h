#pragma once

#include <filesystem>

#include "esper/services/urza/objects.h"

namespace esper::urza {

/// Objects in a folder: `<folder>/ab/abcd…`.
class Artifacts final : public Objects {
  public:
    explicit Artifacts(std::filesystem::path folder) : folder_(std::move(folder)) {}

    Result<std::string> put(std::string_view content) override;
    Result<std::string> get(std::string_view digest) override;
    Result<Removed> remove_unless(
        const std::function<bool(const std::string& digest)>& keep) override;

  private:
    std::filesystem::path path_of(std::string_view digest) const;
    std::filesystem::path folder_;
};

}  // namespace esper::urza
