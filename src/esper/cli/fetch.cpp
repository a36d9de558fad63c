#include "esper/cli/fetch.h"

#include <spawn.h>
#include <sys/wait.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>

#include "esper/base/files.h"
#include "esper/base/hash.h"
#include "esper/base/text.h"
#include "esper/services/tolaria/data/data_errors.h"
#include "esper/services/tolaria/data/open_dataset.h"
#include "esper/utils/http_client.h"

extern char** environ;

namespace esper::cli {

namespace {

namespace fs = std::filesystem;

constexpr const char* kCifarUrl = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz";
constexpr std::string_view kCifarSha256 =
    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd";

Status unpack(const fs::path& archive, const fs::path& into) {
    std::string words[] = {"tar", "-xzf", archive.string(), "-C", into.string()};
    char* arguments[] = {words[0].data(), words[1].data(), words[2].data(),
                         words[3].data(), words[4].data(), nullptr};
    pid_t child = 0;
    int status = 1;
    if (posix_spawnp(&child, "tar", nullptr, nullptr, arguments, environ) == 0)
        waitpid(child, &status, 0);
    if (status == 0) return {};
    return fail(FileError::kUnreadable, "tar could not unpack " + archive.string());
}

Status fetch_cifar10() {
    const auto here = tolaria::find_data(tolaria::kCifar10Folder);
    if (fs::exists(here)) {
        std::printf("cifar10 is here already: %s\n", here.c_str());
        return {};
    }
    std::fprintf(stderr, "fetching %s (170 MB)\n", kCifarUrl);
    utils::HttpOptions options;
    options.timeout = std::chrono::minutes(30);
    utils::HttpClient client(options);
    auto answer = utils::require_success(client.get(kCifarUrl));
    if (!answer)
        return fail(answer.error().within(
            "cifar10 could not be downloaded; without a network, unpack cifar-10-binary.tar.gz "
            "into data/ yourself"));
    if (sha256(answer->body).hex() != kCifarSha256)
        return fail(FileError::kChecksumMismatch,
                    std::string("what came from ") + kCifarUrl + " has another SHA-256 than " +
                        std::string(kCifarSha256) + "; nothing was unpacked");
    std::error_code error;
    fs::create_directories("data", error);
    const fs::path archive = "data/cifar-10-binary.tar.gz";
    ESPER_CHECK_STATUS(write_file_atomic(archive, answer->body));
    ESPER_CHECK_STATUS(unpack(archive, "data"));
    fs::remove(archive, error);
    std::printf("%s\n", tolaria::kCifar10Folder);
    return {};
}

}  // namespace

Status fetch_data(const std::string& name) {
    if (name == "cifar10") return fetch_cifar10();
    if (name == "text") {
        const auto bundled = tolaria::find_data("data/tinyshakespeare.txt");
        if (!fs::exists(bundled))
            return fail(tolaria::DataError::kMissing,
                        "the bundled text data/tinyshakespeare.txt is not in this checkout");
        std::printf("the text is bundled: %s\n", bundled.c_str());
        return {};
    }
    if (name == "drawn") {
        std::printf("drawn images are drawn on demand; there is nothing to fetch\n");
        return {};
    }
    const std::array<std::string, 3> names{"text", "cifar10", "drawn"};
    return fail(tolaria::DataError::kUnknownName, "there is no data set " +
                                                      quote_with_suggestion(name, names) +
                                                      "; there are text, cifar10 and drawn");
}

}  // namespace esper::cli
