#pragma once

#include <memory>

#include "esper/services/urza/objects.h"
#include "esper/utils/s3_client.h"

namespace esper::urza {

/// Objects in a bucket: `<prefix>/ab/abcd…`.
class S3Objects final : public Objects {
  public:
    /// `place`: s3://BUCKET/PREFIX. Credentials, region and server come from the variables that
    /// other programs for S3 read: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN,
    /// AWS_REGION or AWS_DEFAULT_REGION (us-east-1), AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL
    /// (Amazon's). Error: kBadAddress.
    static Result<std::unique_ptr<Objects>> open(const std::string& place);

    Result<std::string> put(std::string_view content) override;
    Result<std::string> get(std::string_view digest) override;
    Result<Removed> remove_unless(
        const std::function<bool(const std::string& digest)>& keep) override;

  private:
    S3Objects(std::string place, std::string prefix, std::unique_ptr<utils::S3Client> client)
        : place_(std::move(place)), prefix_(std::move(prefix)), client_(std::move(client)) {}
    std::string key_of(std::string_view digest) const;
    tl::unexpected<Error> failed(std::string_view doing, const Error& error) const;

    const std::string place_, prefix_;
    const std::unique_ptr<utils::S3Client> client_;
};

}  // namespace esper::urza
