#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "esper/services/nissa/link_tokens.h"
#include "esper/services/nissa/nissa_errors.h"

namespace esper::nissa {

struct NissaOptions {
    std::vector<std::filesystem::path> runs;  ///< folders of runs, or runs
    std::string host = "127.0.0.1";
    int port = 8005;  ///< 0: any free one
    std::vector<std::string> names =
        {};  ///< under which browsers may ask besides (serving::Access)
    LinkTokens::Options links = {};
    std::filesystem::path library = {};  ///< of kernels; empty: the user's own
};

/// The page about runs, served until it is destroyed.
class Nissa {
  public:
    /// Errors: kNoFolder, those of serving::HttpServer::start().
    static Result<std::unique_ptr<Nissa>> start(const NissaOptions& options);
    ~Nissa();
    Nissa(const Nissa&) = delete;
    Nissa& operator=(const Nissa&) = delete;

    /// Where it listens, e.g. `http://127.0.0.1:8005`.
    std::string address() const;
    const LinkTokens& tokens() const;

  private:
    Nissa();
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

}  // namespace esper::nissa
