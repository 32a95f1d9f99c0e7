# The reference documentation against the tables of the source: everything that
# a table has is documented, and nothing is documented that no table has.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Test::IM;

my $root = $Test::IM::ROOT;

my $api = slurp("$root/docs/api.md");
my $directives = slurp("$root/docs/directives.md");
my $schema = slurp("$root/docs/redis-schema.md");
my $internals = slurp("$root/docs/internals.md");


# --- directives: headings "### name" in docs/directives.md

my $module = source('module');
my $stream = source('stream_module');
my @http = (names(table($module, 'ngx_http_im_commands')),
            names(table($stream, 'ngx_http_im_stream_commands')));
my @block = names(table(source('redis_block'), 'ngx_http_im_redis_block_commands'));
my @vars = names(table(source('variable'), 'ngx_http_im_vars'));

cmp_ok(@http, '>=', 10, 'the table of directives is read');
cmp_ok(@block, '>=', 9, 'the table of an im_redis block is read');
cmp_ok(@vars, '>=', 6, 'the table of variables is read');

is_deeply([ sort(headings($directives, 'Directives')) ], [ sort @http ],
          'directives');
is_deeply([ sort(headings($directives, 'Inside im_redis')) ],
          [ sort @block ], 'directives of an im_redis block');
is_deeply([ sort(headings($directives, 'Variables')) ],
          [ sort map { "\$$_" } @vars ], 'variables');

for my $name (@http, @block) {
    my $part = part($directives, $name);
    like($part, qr/^    syntax:  \Q$name\E\b/m, "$name has its syntax");
    like($part, qr/^    default: \S/m, "$name has its default");
    like($part, qr/^    context: \S/m, "$name has its context");
}


# --- contexts, as the table has them

my %context = (
    'NGX_HTTP_MAIN_CONF' => 'http',
    'NGX_HTTP_IM_ANY_CONF' => 'http, server, location',
    'NGX_HTTP_IM_STREAM_ANY_CONF' => 'http, server, location',
    'NGX_HTTP_LOC_CONF' => 'location',
    'NGX_HTTP_SRV_CONF' => 'server, location, if',
);

for my $row (rows(table($module, 'ngx_http_im_commands')),
             rows(table($stream, 'ngx_http_im_stream_commands')))
{
    my ($name, $first) = $row =~ /ngx_string\("(\w+)"\),\s*(\w+)/ or next;
    like(part($directives, $name), qr/^    context: \Q$context{$first}\E$/m,
         "$name: context");
}


# --- defaults that are numbers, as the merge has them

my %shown = ('120000' => '2m', '262144' => '256k', '32768' => '32k', '86400000' => '24h',
             '25000' => '25s', '10000' => '10s', '3600000' => '1h', '65536' => '64k');

my $both = "$module $stream";
while ($both =~ /ngx_conf_merge_(?:size|uint|msec)_value\(conf->(\w+),
                   \s*prev->\w+,\s*(\d+)\)/gx)
{
    my ($name, $value) = ("im_$1", $shown{$2} // $2);
    $name = "im_stream_$1" if pos($both) > length $module;
    next if $name eq 'im_reply_full';
    like(part($directives, $name), qr/^    default: $name \Q$value\E;$/m,
         "$name: default $value");
}


# --- calls: a heading of docs/api.md for every route

my @routes = grep { length }
             map { /"([^"]*)"/g } source('route') =~ /^ +row\(.*/mg;
cmp_ok(@routes, '>=', 13, 'the table of routes is read');

my %documented;
$documented{$_}++ for $api =~ m{^### (/im/\S+)}mg;
$documented{$_}++ for $api =~ m{^also: `(/im/\S+)`}mg;

s/\*/{conv_id}/ for @routes;
is_deeply([ sort keys %documented ], [ sort map { "/im/$_" } @routes ],
          'calls');


# --- fields: each stands in the table of its call, and no other does

my %call_of = (
    convs => '/im/unread', list => '/im/conv/list', conv_page => '/im/conv/{conv_id}',
    pair_page => '/im/from/to', send => '/im/send/msg',
    conv_read => '/im/conv/{conv_id}/read', recall => '/im/msg/recall',
    hide => '/im/conv/{conv_id}/hide', readers => '/im/conv/{conv_id}/readers',
    user_set => '/im/user/set', online => '/im/user/online',
    typing => '/im/conv/{conv_id}/typing',
    import => '/im/import', import_row => '/im/import',
    user => '/im/user/set', user_get => '/im/user/get',
    group_create => '/im/creat/group', group_add => '/im/add/group/merber',
    group_list => '/im/group/{conv_id}/list',
    map({ ("group_$_" => "/im/group/{conv_id}/$_") }
        qw(alias set leave remove transfer dismiss)),
);

my %fields = map { $_ => [] } values %call_of;

for my $file (glob "$root/src/api/*.c") {
    my $text = slurp($file);

    while ($text =~ /ngx_http_im_field_t\s+(ngx_http_im_(\w+)_fields)\[\]/g) {
        my ($table, $path) = ($1, $call_of{$2});
        ok(defined $path, "$table belongs to a call") or next;
        push @{ $fields{$path} }, names(table($text, $table));
    }
}

for my $path (sort keys %fields) {
    my ($table) = part($api, $path)
                  =~ /^\| field .*\n\|[-|]+\n((?:\|.*\n)+)/m;
    is_deeply([ sort(($table // '') =~ /^\| `(\w+)` /mg) ],
              [ sort @{ $fields{$path} } ], "$path: fields");
}


# --- codes, with their status

my %code = table(source('error'), 'ngx_http_im_codes')
           =~ /ngx_string\("(\w+)"\), (\d+),/g;
delete $code{ok};

cmp_ok(keys %code, '>=', 21, 'the table of codes is read');

my %row = part($api, 'Codes') =~ /^\| `(\w+)` +\| (\d{3}) \|/mg;
is_deeply(\%row, \%code, 'codes');


# --- keys: a heading "### {c:ID}:x" for every kind

my $kinds = table(source('key'), 'ngx_http_im_keys');
my @keys;
push @keys, "{$1:ID}:$2" while $kinds =~ /\{ '(\w)', '(\w)' \}/g;

cmp_ok(@keys, '>=', 8, 'the table of keys is read');
is_deeply([ sort($schema =~ /^### `PREFIX(\{\w:ID\}:\w)`/mg) ],
          [ sort @keys ], 'keys');


# --- counters: each row of a table in docs/operations.md, in both spellings

my $operations = slurp("$root/docs/operations.md");
my $sum = source('sum');
my $text = source('prometheus');

my %kind;
my ($gauges) = slurp("$root/src/ngx_http_im_stat.h")
               =~ /typedef enum \{(.*?)\w+ = NGX_HTTP_IM_STAT_GAUGES/s;

while ($sum =~ /(?:\{ ngx_string|_sum_\w+)\("(\w+)"\)?, (NGX_HTTP_IM_STAT_\w+),/g) {
    my ($name, $stat) = ($1, $2);
    $kind{$name} = $gauges =~ /\b$stat\b/ ? 'gauge' : 'counter';
}

cmp_ok(keys %kind, '>=', 15, 'the table of counters is read');

my @counters = ($text =~ /(?:family|single)\(w, "(\w+)",\s+"\w+"/g,
               map { "im_store_$_" . ($kind{$_} eq 'counter' ? '_total' : '') }
               keys %kind);

is_deeply([ sort($operations =~ /^\| `(im_\w+)/mg) ], [ sort @counters ],
          'counters');

for my $name (sort keys %kind) {
    my $suffix = $kind{$name} eq 'counter' ? '_total' : '';
    ok($operations =~ /^\| `im_store_$name$suffix` +\| `$name` /m,
       "$name: its name in JSON");
}


# --- scripts and files

for my $script (map { m{([^/]+)\.lua$} } glob "$root/src/script/*.lua") {
    like($schema, qr/`\Q$script\E\.lua`/, "$script.lua is described");
}

for my $file (map { m{src/(.+)$} } glob("$root/src/*.c $root/src/*/*.c")) {
    (my $name = $file) =~ s/ngx_http_im_(\w+)\.c$/$1/;
    ok($internals =~ /^\| `\Q$name\E` /m, "$name.c is in docs/internals.md");
}


# --- links

for my $file ('README.md', map { "docs/$_" }
              qw(api.md directives.md identity.md redis-schema.md internals.md
                 operations.md reliability.md testing.md migration.md
                 import/README.md packaging/README.md monitoring/README.md))
{
    my $text = slurp("$root/$file");
    (my $dir = $file) =~ s{[^/]*$}{};

    for my $link ($text =~ /\]\(([^)\s]+)\)/g) {
        next if $link =~ /^https?:/;
        my ($to, $anchor) = split /#/, $link;
        my $target = length $to ? "$root/$dir$to" : "$root/$file";
        ok(-e $target, "$file: $link leads somewhere") or next;
        ok((grep { $_ eq $anchor } anchors(slurp($target))),
           "$file: $link is a heading") if defined $anchor;
    }
}

# --- the rights of an ACL are all that is needed, and no more is asked for but
# what only warnings need

my ($rights) = $schema =~ /ACL SETUSER im on >secret (.*?)\n\n/s or die 'no ACL';
my @rights = split ' ', $rights;

for my $less ('', '+echo') {
    my $t = Test::IM->new(
        redis_args => [ '--user', 'im', 'on', '>secret', grep { $_ ne $less } @rights ],
        store => 'server unix:{{sock}}; username im; password secret;',
    )->start;
    my @call = (
        [ 'user/set', { users => [ { id => 'a', name => 'A' }, { id => 'b', name => 'B' } ] } ],
        [ 'user/get', { ids => [qw(a b)] } ],
        [ 'creat/group', { owner_id => 'a', conv_id => 'g', name => 'g', member => [qw(b c)] } ],
        [ 'add/group/merber', { conv_id => 'g', member => [qw(d e)] } ],
        [ 'group/g/list', {} ],
        (map { my $more = $_; map { [ 'send/msg', { from_id => 'a', msg => 'x', msg_type => 0, %$_, %$more } ] }
             { conv_id => 'g' }, { to_id => 'b' } } {}, { client_msg_id => 'k' }, { client_msg_id => 'k' }),
        [ 'from/to', { from_id => 'b', to_id => 'a' } ],
        [ 'conv/g', { from_id => 'b' } ], [ 'conv/g/read', { from_id => 'd' } ],
        [ 'conv/list', { from_id => 'b' } ], [ 'unread', { from_id => 'b' } ],
        (map { [ 'conv/list', { from_id => 'b', %$_ } ] } { limit => 1 }, { until => 1 }),
        [ 'conv/g', { after => '' } ], [ 'conv/g/readers', {} ], [ 'conv/g/hide', { from_id => 'b' } ],
    );
    for (@call) {
        my ($path, $data) = @$_;
        my $r = $t->post("/im/$path", $data);
        is($r->status, 200, "with the rights of the documentation" . ($less && ", but $less") . ": $path")
            or diag($r->body);
    }
    my @denied = grep { !/^\+(?:info|config\|get)$/ } map { my %h = @$_; "+$h{object}" } @{ $t->redis(qw(ACL LOG)) };
    is_deeply([ grep { $_ ne $less } @denied ], [], 'nothing else was asked for');
    $t->done;
}


done_testing;


sub source {
    my ($file, @more) = grep { -e } glob("$root/src/{,*/}ngx_http_im_$_[0].c");
    die "no $_[0].c" if !defined $file || @more;
    return slurp($file);
}


# the text of a static table, from its name to the brace that ends it

sub table {
    my ($text, $name) = @_;
    my ($body) = $text =~ /\b$name\[\]\s*=\s*\{(.*?)^\};/ms;
    ok(defined $body, "the source has $name");
    return $body // '';
}


sub rows { return $_[0] =~ /(\{\s*ngx_string\(.*?\})/sg }


sub names { return $_[0] =~ /\{\s*ngx_string\("([^"]+)"\)/g }


# headings of the third level under one of the second

sub headings {
    my ($text, $title) = @_;
    my ($section) = $text =~ /^## \Q$title\E\n(.*?)(?=^## |\z)/ms;
    return ($section // '') =~ /^### (\S+)$/mg;
}


# what stands under a heading, up to the next of any level

sub part {
    my ($text, $title) = @_;
    my ($part) = $text =~ /^#+ \Q$title\E\n(.*?)(?=^#+ |\z)/ms;
    return $part // '';
}


sub anchors {
    return map { my $h = lc; $h =~ s/[^\w -]//g; $h =~ s/ /-/g; $h }
           $_[0] =~ /^#+ (.*)$/mg;
}
