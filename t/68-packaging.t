# docs/packaging: its files agree with each other and with the tree, the manual
# page is one, and a source package of it has what the module is built from.
# t/tools/deb-test builds, installs and removes it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Test::IM ();

my $root = $Test::IM::ROOT;
my $dir = "$root/docs/packaging";
my $package = 'libnginx-mod-http-im';

sub text {
    my $text = Test::IM::slurp("$root/$_[0]");
    ok(length $text, "$_[0] is there");
    return $text;
}

sub debian { return text("docs/packaging/debian/$_[0]") }


# --- names and versions

my $control = debian('control');
like($control, qr/^Source: \Q$package\E$/m, 'the source package');
is_deeply([ $control =~ /^Package: (.*)$/mg ], [ $package ], 'its package');

my ($version) = text('CHANGES') =~ /^Changes with im (\S+)/m;
my ($name, $packaged) = debian('changelog') =~ /\A(\S+) \(([^)]+)-\d+\) /;
is($name, $package, 'the name in the changelog');
is($packaged, $version, 'the version is that of CHANGES');

my ($maintainer) = $control =~ /^Maintainer: (.*)$/m;
like(debian('changelog'), qr/^ -- \Q$maintainer\E  \w/m, 'who it is from');


# --- how nginx loads it

my ($load, $conf, $priority) = debian("$package.nginx")
                               =~ m{\A(mod) debian/(\S+) (\d+)\n\z};
is("$priority-$conf", '60-mod-http-im.conf', 'the name of its link');
is(debian($conf), "load_module modules/ngx_http_im_module.so;\n", 'which loads it');
like(text('config'), qr/^ngx_addon_name=ngx_http_im_module$/m, 'under its name');

my ($ndk) = glob '/usr/share/nginx/modules-available/mod-http-ndk.conf';
SKIP: {
    skip 'NDK is no package here', 1 if !$ndk;
    my ($link) = map { m{/(\d+)-} } glob '/etc/nginx/modules-enabled/*-mod-http-ndk.conf';
    cmp_ok($link // 0, '<', $priority, 'NDK is loaded before it');
}

like($control, qr/^Depends: libnginx-mod-http-ndk,$/m, 'it depends on NDK');
like($control, qr/\$\{misc:Depends\}/, 'and on the ABI of nginx');

my ($needs) = $control =~ /^Build-Depends: (.*?)^\S/ms;
like($needs, qr/\b\Q$_\E,/, "needs $_")
    for qw(dh-sequence-nginx libhiredis-dev libjansson-dev libnginx-mod-http-ndk-dev);


# --- scripts, documentation

is_deeply([ grep { m{\.?(?:pre|post)(?:inst|rm)$} } glob "$dir/debian/*" ], [],
          'no maintainer scripts');
is(debian('source/format'), "3.0 (quilt)\n", 'the source format');
ok(-x "$dir/debian/rules", 'rules can be run');
ok(-e "$root/$_", "$_ is in the tree") for split ' ', debian("$package.docs");

my ($license) = text('LICENSE') =~ /(Redistribution and use.*)/s;
(my $copied = debian('copyright')) =~ s/.*^License: BSD-2-clause\n(?= )//ms;
$copied =~ s/^ \.?//mg;
is($copied, $license, 'the license is that of LICENSE');

my $readme = debian("$package.README.Debian");
my $top = text('README.md');
for my $line (grep { /\S/ && !/^#/ } ($top =~ /`redis\.conf`:\n\n```\n(.*?)```/s)[0] =~ /(.+)/g) {
    like($readme, qr/^ +\Q$line\E$/m, "README.Debian has \"$line\"");
}


# --- the manual page: each directive and variable, no warning

my @command = ("$dir/man", $version, '2026-01-01');
my $page = Test::IM->run('sh', '-c', 'exec "$@" < "$0"',
                         "$root/docs/directives.md", @command);
is($?, 0, 'the manual page is made');
my ($sections) = text('docs/directives.md') =~ /^(## Directives\n.*)/ms;
for my $heading ($sections =~ /^### (\S+)/mg) {
    like($page, qr/^\.TP\n\.B \Q$heading\E$/m, "the manual page has $heading");
}
unlike($page, qr/^(?!\.(?:TH|SH|TP|B|BR|I|IR|nf|fi)\b|\\&)[.']/m,
       'no line of text is a request');

SKIP: {
    skip 'groff is not installed', 1 if !grep { -x "$_/groff" } split /:/, $ENV{PATH};
    my $file = File::Temp->new(SUFFIX => '.7');
    print {$file} $page;
    close $file;
    is(Test::IM->run('groff', '-man', '-ww', '-z', '-Tutf8', '-K', 'utf8', "$file"), '',
       'groff has no warning');
}


# --- how it is built and tested

like(text('Makefile'), qr{^deb:\n.*^\t\@t/tools/deb$}ms, 'make deb');

for my $tool (map { "t/tools/$_" } qw(deb deb-test deb-site chroot)) {
    is(Test::IM->run('bash', '-n', "$root/$tool"), '', "$tool is valid");
}

done_testing;
