# cmake -D FROM=FILE -D TO=HEADER -D NAMESPACE=… -D NAME=… -P embed_bytes.cmake: makes a header with
# the file's bytes as an array k<NAME>.
file(READ ${FROM} bytes HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n" bytes "${bytes}")
file(WRITE ${TO} "#pragma once\n\nnamespace ${NAMESPACE} {\n"
  "inline constexpr unsigned char k${NAME}[] = {\n${bytes}};\n}  // namespace ${NAMESPACE}\n")
