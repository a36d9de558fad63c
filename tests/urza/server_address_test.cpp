#include "esper/services/urza/server_address.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <map>

#include "base/temporary_folder.h"
#include "esper/execution/kernels/trust/trust_error.h"
#include "esper/services/urza/library.h"

namespace esper::urza {
namespace {

class ServerAddresses : public ::testing::Test {
  protected:
    void SetUp() override {
        for (const char* name :
             {"ESPER_LIBRARY_TOKEN", "ESPER_LIBRARY_TOKEN_FILE", "ESPER_LIBRARY_INSECURE",
              "SSL_CERT_FILE", "ESPER_KEYS", "XDG_DATA_HOME"}) {
            if (const char* value = std::getenv(name)) old_[name] = value;
            ::unsetenv(name);
        }
        ::setenv("ESPER_LIBRARY_TOKEN", "esper_token", 1);
    }
    void TearDown() override {
        for (const char* name : {"ESPER_LIBRARY_TOKEN", "ESPER_LIBRARY_TOKEN_FILE",
                                 "ESPER_LIBRARY_INSECURE", "SSL_CERT_FILE", "XDG_DATA_HOME"})
            ::unsetenv(name);
        for (const auto& [name, value] : old_) ::setenv(name.c_str(), value.c_str(), 1);
    }
    std::map<std::string, std::string> old_;
    const TemporaryFolder folder_;
};

TEST_F(ServerAddresses, ATokenTravelsInTheClearOnThisMachineOnly) {
    for (const char* url : {"http://127.0.0.1:8000", "http://localhost:8000/", "http://[::1]:8000",
                            "http://urza.localhost", "https://urza.example:8443/team"})
        EXPECT_TRUE(server_address(url)) << url;
    for (const char* url : {"http://urza.example:8000", "http://10.0.0.1",
                            "http://127.0.0.1.evil.example", "http://localhost.evil.example"})
        EXPECT_TRUE(server_address(url).error().is(UrzaError::kInsecure)) << url;
    ::setenv("ESPER_LIBRARY_INSECURE", "1", 1);
    EXPECT_EQ(server_address("http://10.0.0.1:8000//")->base, "http://10.0.0.1:8000");
}

TEST_F(ServerAddresses, ASchemeAndAHostAreTheSameInAnyCase) {
    EXPECT_TRUE(is_server("HTTP://127.0.0.1:8000"));
    EXPECT_TRUE(is_server("Https://urza.example"));
    EXPECT_EQ(server_address("HTTPS://Urza.Example:8443/Team")->base,
              "https://urza.example:8443/Team");
    EXPECT_EQ(server_address("HTTP://LOCALHOST:1")->base, "http://localhost:1");
    EXPECT_TRUE(server_address("HTTP://urza.example").error().is(UrzaError::kInsecure));
}

TEST_F(ServerAddresses, WhatIsNoAddressIsRefused) {
    for (const char* url :
         {"http://", "https:///x", "http://user:secret@localhost", "http://localhost?x",
          "http://localhost#x", "http://local host", "http://localhost\r\nX: y"}) {
        const auto address = server_address(url);
        ASSERT_FALSE(address) << url;
        EXPECT_TRUE(address.error().is(UrzaError::kBadAddress)) << url;
        EXPECT_EQ(address.error().message().find("secret"), std::string::npos);
    }
    EXPECT_FALSE(is_server("/data/library"));
    EXPECT_FALSE(is_server("ftp://host"));
    EXPECT_TRUE(refuse_server("/data/library", "this"));
    EXPECT_TRUE(refuse_server("http://host", "this").error().is(UrzaError::kBadAddress));
}

TEST_F(ServerAddresses, ATokenIsReadFromAFileThatIsOnlyThisUsers) {
    const auto file = folder_ / "token";
    std::ofstream(file) << "esper_from_file\n";
    ::setenv("ESPER_LIBRARY_TOKEN_FILE", file.c_str(), 1);
    for (const mode_t mode : {0644U, 0640U, 0602U}) {
        ::chmod(file.c_str(), mode);
        EXPECT_TRUE(server_address("http://localhost").error().is(UrzaError::kInsecure)) << mode;
    }
    ::chmod(file.c_str(), 0600);
    EXPECT_EQ(server_address("http://localhost")->token, "esper_from_file");
    std::ofstream(file) << "";
    EXPECT_TRUE(server_address("http://localhost").error().is(UrzaError::kBadRequest));
    std::ofstream(file) << "two words";
    EXPECT_TRUE(server_address("http://localhost").error().is(UrzaError::kBadRequest));
    ::setenv("ESPER_LIBRARY_TOKEN_FILE", (folder_ / "none").c_str(), 1);
    EXPECT_TRUE(server_address("http://localhost").error().is(UrzaError::kBadRequest));
    ::unsetenv("ESPER_LIBRARY_TOKEN_FILE");
    ::unsetenv("ESPER_LIBRARY_TOKEN");
    EXPECT_TRUE(server_address("http://localhost").error().is(UrzaError::kBadRequest));
}

TEST_F(ServerAddresses, WhoHasNoKeysTrustsNothing) {
    ::setenv("XDG_DATA_HOME", folder_.path().c_str(), 1);
    const auto opened = open_library("http://localhost:1");
    ASSERT_FALSE(opened);
    EXPECT_TRUE(opened.error().is(execution::TrustError::kNoKey)) << opened.error().to_string();
    EXPECT_FALSE(std::filesystem::exists(folder_.path() / "esper")) << "none are made";
}

}  // namespace
}  // namespace esper::urza
