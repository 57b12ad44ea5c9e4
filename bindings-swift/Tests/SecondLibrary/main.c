// Calls both libraries.

#include <stdint.h>
#include <stdio.h>

size_t second_library(void);
uint32_t ffi_pipevideo_swift_uniffi_contract_version(void);

int main(void) {
    printf("contract version %u, %zu bytes\n", ffi_pipevideo_swift_uniffi_contract_version(),
           second_library());
    return second_library() > 0 ? 0 : 1;
}
