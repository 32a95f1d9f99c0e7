# docs/internals.md, "Adding a call": what it shows is added to a copy of the
# tree, one row and one file, and the call is there, with all that others have.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp ();
use Test::More;
use Test::IM;

plan skip_all => 'the nginx that the module was built for is not the packaged one'
    if $ENV{IM_NGINX} || defined $ENV{IM_MODULE} && !length $ENV{IM_MODULE};

my $root = $Test::IM::ROOT;
my $copy = File::Temp::tempdir('im-recipe-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);


# --- what the documentation has

my ($recipe) = slurp("$root/docs/internals.md")
               =~ /^## Adding a call\n(.*?)(?=^## |\z)/ms;
my ($file) = $recipe =~ m{^The file, `(src/api/ngx_http_im_\w+\.c)`,}m;
my ($code) = $recipe =~ /^```c\n(.*?)^```$/ms;
my ($row) = $recipe =~ /^    (row\(\w+, "[^"]+", "[^"]*"\))$/m;

ok($_->[1], "the recipe has $_->[0]") or BAIL_OUT('docs/internals.md')
    for [ 'a file' => $file ], [ code => $code ], [ 'a row' => $row ];
cmp_ok($code =~ tr/\n//, '<', 60, 'the file has under 60 lines');

my ($call, $path) = $row =~ /\((\w+), "([^"]+)"/;
is($file, "src/api/ngx_http_im_$call.c", 'it has the name of the call');


# --- a copy with them, and with nothing else

system('cp', '-r', "$root/src", "$root/config", $copy) == 0 or die "cp\n";
system("mkdir -p $copy/t/tools && cp $root/t/tools/build $copy/t/tools") == 0
    or die "cp\n";

put($file, $code);

my $route = slurp("$copy/src/api/ngx_http_im_route.c");
$route =~ s{^(\#define ngx_http_im_route_rows\(row\) +\\\n)}
           {$1 . sprintf("    %-*s\\\n", length($1) - 6, $row)}me;
put('src/api/ngx_http_im_route.c', $route);

my @diff = sort split /\n/, qx(diff -rq $root/src $copy/src);
is(scalar @diff, 2, 'two files are not as they were') or diag(@diff);
like($diff[0], qr{^Files .*/src/api/ngx_http_im_route\.c differ$}, 'one row');
like($diff[1], qr{^Only in \Q$copy/src/api\E: ngx_http_im_\Q$call\E\.c$},
     'one file');
my @lines = grep { /^[<>]/ } split /\n/, qx(diff $root/src/api $copy/src/api);
is(scalar(grep { /ngx_http_im_route|^[<>] +row\(/ } @lines), 1,
   'of which one is a line more') or diag(@lines);


# --- it is built as it stands, and breaks no rule

my $said = qx(cd $copy && IM_CC_OPT='-O0 -U_FORTIFY_SOURCE' t/tools/build 2>&1);
is($?, 0, 'it is built') or BAIL_OUT($said);
is($said, '', 'without a warning');

sub lint { return map { s/\d+/N/gr } split /\n/, qx($root/t/tools/lint $_[0]) }

my %was = map { $_ => 1 } lint($root);
is_deeply([ grep { !$was{$_} } lint($copy) ], [], 'and breaks no rule');


# --- it serves

local $Test::IM::OpenAPI::ON = 0;       # it has no path of this call
local $Test::IM::MODULE = "$copy/build/ngx_http_im_module.so";

my $t = Test::IM->new(
    workers => 2,
    conf_server => <<'CONF',
        location = /status { im_status; }
        location = /metrics { im_status prometheus; }
CONF
    log_format => '$im_call $im_code $im_store_commands',
)->start;

my $r = $t->post("/im/$path", { conv_id => 'nosuch' });
is($r->status, 200, "/im/$path") or diag($r->body);
is($r->body, '{"bytes":0}', 'of no conversation');

my $conv = $t->say(ann => 'bob', 'hello')->conv_id;
my $bytes = length $t->redis(GET => "im:{c:$conv}:h");
cmp_ok($bytes, '>', 60, "Redis has $bytes bytes");
$r = $t->post("/im/$path", { conv_id => $conv });
is($r->body, qq({"bytes":$bytes}), 'as the call says');
is($r->header('Content-Type') =~ s/;.*//r, 'application/json', 'in JSON');

$r = $t->post("/im/$path", {});
is($r->code, 'bad_request', 'a field that is missing');
like($r->error, qr/\bconv_id\b/, 'is named');
$t->redis(DEL => "im:{c:$conv}:h");
$t->redis(HSET => "im:{c:$conv}:h", 'a', 'b');
is($t->post("/im/$path", { conv_id => $conv })->code, 'store_error',
   'a key of another type');
$t->redis(DEL => "im:{c:$conv}:h");
is($t->get("/im/$path")->code, 'method_not_allowed', 'GET');
is($t->unread('cat'), 0, 'and the other calls are there');

my $count = $t->get('/status')->json->{total}{requests};
my %shown = map { $_ => $count->{$call}{$_} }
            grep { $count->{$call}{$_} } keys %{ $count->{$call} || {} };
is_deeply(\%shown, { ok => 2, bad_request => 1, store_error => 1,
                     method_not_allowed => 1 }, 'im_status counts it')
    or diag(explain($count));
like($t->get('/metrics')->body, qr/\{call="\Q$call\E",code="ok"\} 2$/m,
     'so does its other format');

my @logged;
$t->poll(2, sub { @logged = $t->access_log =~ /^(\Q$call\E .*)$/mg;
                  @logged == 5 });
is_deeply(\@logged, [ map { "$call $_" } 'ok 1', 'ok 1', 'bad_request 0',
                      'store_error 1', 'method_not_allowed 0' ],
          'the variables of the log have it');

$t->done;
done_testing;


sub put {
    my ($name, $text) = @_;
    open my $fh, '>', "$copy/$name" or die "$name: $!\n";
    print $fh $text;
    close $fh or die "$name: $!\n";
}
