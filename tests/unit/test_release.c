/* Signed releases: what is taken for one, versions, and what packaging/sign-release makes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/release.h"
#include "releases.h"

static struct releases made;

static int set_up(void **state)
{
    (void)state;
    releases_open(&made);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    releases_close(&made);
    return 0;
}

static int verify(const char *text, struct umx_error *err)
{
    struct umx_release release;

    *err = (struct umx_error){0};
    return umx_release_verify(text, strlen(text), made.public_key, &release, err);
}

static void test_good_release(void **state)
{
    struct umx_release release;
    char text[UMX_RELEASE_TEXT_MAX];

    (void)state;
    releases_sign(&made, "umx-agent", "1.2.3", "deb", "amd64", "package", 7, false, text);
    assert_int_equal(umx_release_verify(text, strlen(text), made.public_key, &release, NULL), 0);
    assert_string_equal(release.version, "1.2.3");
    assert_int_equal(release.size, 7);
    assert_false(release.downgrade);
    assert_int_equal(umx_release_check_bytes(&release, "package", 7, NULL), 0);
    assert_int_equal(umx_release_check_bytes(&release, "Package", 7, NULL), UMX_E_FORMAT);
    assert_int_equal(umx_release_check_bytes(&release, "packag", 6, NULL), UMX_E_FORMAT);
    assert_int_equal(umx_release_check_bytes(&release, "package ", 8, NULL), UMX_E_FORMAT);
}

/* Each byte of the text matters: whichever is another one, the release is refused. */
static void test_every_bit_is_signed(void **state)
{
    char text[UMX_RELEASE_TEXT_MAX];
    struct umx_error err;

    (void)state;
    releases_sign(&made, "umx-agent", "1.2.3", "deb", "amd64", "package", 7, false, text);
    for (size_t i = 0; text[i] != '\0'; i++) {
        char kept = text[i];
        for (int bit = 0; bit < 7; bit++) {
            text[i] = (char)(kept ^ (1 << bit));
            if (text[i] == '\0')
                continue;
            /* A digit of the signature in the other case is the same signature. */
            bool same = strstr(text, "\nsignature ") != NULL && text + i > strstr(text, "\nsignature ") + 10 &&
                        kept >= 'a' && kept <= 'f' && bit == 5;
            assert_int_equal(verify(text, &err) == 0, same);
        }
        text[i] = kept;
    }
    assert_int_equal(verify(text, &err), 0);
}

static void test_keys(void **state)
{
    struct releases other;
    struct umx_release release;
    char text[UMX_RELEASE_TEXT_MAX], both[4096];
    struct umx_error err = {0};

    (void)state;
    releases_open(&other);
    releases_sign(&other, "umx-agent", "1.2.3", "deb", "amd64", "package", 7, false, text);
    assert_int_equal(verify(text, &err), UMX_E_DENIED);
    assert_int_equal(err.id, UMX_ERR_RELEASE_SIGNATURE);
    /* The old and the new key while one takes the other's place. */
    snprintf(both, sizeof both, "%s%s", made.public_key, other.public_key);
    assert_int_equal(umx_release_verify(text, strlen(text), both, &release, NULL), 0);
    assert_int_equal(umx_release_verify(text, strlen(text), "", &release, NULL), UMX_E_DENIED);
    assert_int_equal(umx_release_verify(text, strlen(text), "no key", &release, NULL), UMX_E_DENIED);
    releases_close(&other);
}

static void test_what_is_no_release(void **state)
{
    static const char *const bad[] = {
        "",
        "umx-release 2\n",
        "umx-release 1\n",
        "umx-release 1\npackage umx-agent\n",
        "\n\n\n",
        "umx-release 1\npackage ../x\nversion 1\nkind deb\narchitecture amd64\nsize 1\nsha256 00\ndowngrade "
        "no\nsignature 00\n",
    };
    static const char *const values[][5] = {
        {"umx agent", "1.2", "deb", "amd64", "a space"},  {"umx-agent", "1.2~x", "deb", "amd64", "no version"},
        {"umx-agent", "1..2", "deb", "amd64", "no part"}, {"umx-agent", "", "deb", "amd64", "empty"},
        {"umx-agent", "1.2", "rpm", "amd64", "kind"},     {"umx-agent", "1.2.", "deb", "amd64", "a point at the end"},
        {"umx-agent", "-1", "deb", "amd64", "negative"},  {"umx-agent", "1.2.3.4.5", "deb", "amd64", "too many"},
        {"UMX", "1.2", "deb", "amd64", "capitals"},       {"umx-agent", "9999999999", "deb", "amd64", "too large"},
        {"umx-agent", "1", "deb", "am\td64", "control"},
    };
    char text[UMX_RELEASE_TEXT_MAX], huge[UMX_RELEASE_TEXT_MAX + 2];
    struct umx_release release;
    struct umx_error err;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(verify(bad[i], &err), UMX_E_FORMAT);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        const char *const *v = values[i];
        releases_sign(&made, v[0], v[1], v[2], v[3], "p", 1, false, text);
        assert_int_equal(verify(text, &err), UMX_E_FORMAT); /* signed, and nonsense all the same */
    }
    memset(huge, 'a', sizeof huge);
    assert_int_equal(umx_release_parse(huge, sizeof huge, &release, NULL), UMX_E_FORMAT);
    releases_sign(&made, "umx-agent", "1", "deb", "amd64", "p", 1, false, text);
    assert_int_equal(umx_release_parse(text, strlen(text) - 1, &release, NULL), UMX_E_FORMAT); /* the last line feed */
    strcat(text, "more\n");
    assert_int_equal(verify(text, &err), UMX_E_FORMAT);
}

static void test_versions(void **state)
{
    static const char *const rising[] = {"x", "0", "0.0.1", "0.1", "0.1.1", "0.2", "0.10", "1", "1.0.0.1", "2", "10"};

    (void)state;
    for (size_t a = 0; a < sizeof rising / sizeof rising[0]; a++)
        for (size_t b = 0; b < sizeof rising / sizeof rising[0]; b++)
            assert_int_equal(umx_release_compare(rising[a], rising[b]), a < b ? -1 : a > b ? 1 : 0);
    assert_int_equal(umx_release_compare("1", "1.0.0"), 0);
}

static void test_what_may_be_installed(void **state)
{
    struct umx_release release = {.package = "umx-agent", .version = "1.0", .kind = "deb", .architecture = "amd64"};
    struct umx_error err = {0};

    (void)state;
    assert_int_equal(umx_release_allowed(&release, "0.9", "deb", "amd64", false, &err), 0);
    assert_int_equal(umx_release_allowed(&release, "1.0", "deb", "amd64", false, &err), 0);
    assert_int_equal(umx_release_allowed(&release, "1.0", "deb", "arm64", false, &err), UMX_E_UNSUPPORTED);
    assert_int_equal(umx_release_allowed(&release, "1.0", "msi", "amd64", false, &err), UMX_E_UNSUPPORTED);
    /* An older one needs two: who asks for it, and who signed it as such. */
    assert_int_equal(umx_release_allowed(&release, "1.1", "deb", "amd64", false, &err), UMX_E_DENIED);
    assert_int_equal(umx_release_allowed(&release, "1.1", "deb", "amd64", true, &err), UMX_E_DENIED);
    release.downgrade = true;
    assert_int_equal(umx_release_allowed(&release, "1.1", "deb", "amd64", false, &err), UMX_E_DENIED);
    assert_int_equal(umx_release_allowed(&release, "1.1", "deb", "amd64", true, &err), 0);
    snprintf(release.package, sizeof release.package, "umx-controller");
    assert_int_equal(umx_release_allowed(&release, "0.9", "deb", "amd64", true, &err), UMX_E_UNSUPPORTED);
}

/* What the script signs, this verifies: a package that dpkg-deb made. */
static void test_the_script(void **state)
{
    char directory[] = "/tmp/umx-release-XXXXXX", command[2048], path[128], text[UMX_RELEASE_TEXT_MAX] = "",
         keys[1024] = "";
    struct umx_release release;

    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(command, sizeof command,
             "cd %s && mkdir -p p/DEBIAN && printf 'Package: umx-agent\\nVersion: 1:2.3.4-1\\nArchitecture: all\\n"
             "Maintainer: nobody <n@example.org>\\nDescription: nothing\\n' >p/DEBIAN/control && "
             "dpkg-deb -b p agent.deb >/dev/null 2>&1 && S=" UMX_SOURCE_DIR "/packaging/sign-release && "
             "$S new-key key >/dev/null && $S key agent.deb --downgrade >/dev/null && "
             "$S verify key.pub agent.deb >/dev/null && ! $S new-key key 2>/dev/null",
             directory);
    assert_int_equal(system(command), 0);
    snprintf(path, sizeof path, "%s/agent.deb.umxsig", directory);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_true(fread(text, 1, sizeof text - 1, file) > 0);
    fclose(file);
    snprintf(path, sizeof path, "%s/key.pub", directory);
    file = fopen(path, "r");
    assert_true(fread(keys, 1, sizeof keys - 1, file) > 0);
    fclose(file);
    assert_int_equal(umx_release_verify(text, strlen(text), keys, &release, NULL), 0);
    assert_string_equal(release.version, "2.3.4");
    assert_string_equal(release.architecture, "all");
    assert_true(release.downgrade);
    snprintf(path, sizeof path, "%s/agent.deb", directory);
    assert_int_equal(umx_release_check_file(&release, path, NULL), 0);
    assert_int_equal(truncate(path, 100), 0);
    assert_int_equal(umx_release_check_file(&release, path, NULL), UMX_E_FORMAT);
    snprintf(command, sizeof command, "cd %s && ! %s/packaging/sign-release verify key.pub agent.deb 2>/dev/null",
             directory, UMX_SOURCE_DIR);
    assert_int_equal(system(command), 0);
    snprintf(command, sizeof command, "rm -r %s", directory);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_release), cmocka_unit_test(test_every_bit_is_signed),
        cmocka_unit_test(test_keys),         cmocka_unit_test(test_what_is_no_release),
        cmocka_unit_test(test_versions),     cmocka_unit_test(test_what_may_be_installed),
        cmocka_unit_test(test_the_script),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
