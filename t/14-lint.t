# t/tools/lint: it is silent over this tree, and each of its rules finds a
# breach that is planted in a copy.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Path qw(make_path remove_tree);
use File::Temp ();
use Test::More;
use Test::IM ();

my $root = $Test::IM::ROOT;
my $lint = "$root/t/tools/lint";
my $copy = File::Temp::tempdir('im-lint-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);

my $src = "$copy/src";
my $im = 'ngx_http_im';
my $id = "${im}_id.c";

make_path("$copy/build");
system('cp', '-r', "$root/src", "$root/config", $copy) == 0 or die;
so('int good(void) { return 0; }');

my @clean = lint();
is_deeply(\@clean, [], 'nothing is wrong in this tree');
my %clean;
$clean{plain($_)}++ for @clean;

chomp(my @rules = qx($lint --rules));
cmp_ok(@rules, '>=', 20, 'the rules are told');
my %planted;


# --- what may not be: rule, name, file => text at its end or function that
#     edits it, ...

my $header = sub { my $include = shift;
                   sub { $_[0] =~ s/\n\n\n#include/\n\n\n$include\n#include/ } };

breach(columns => 'a line of 80', $id => '/* ' . 'x' x 74 . ' */');
breach(columns => 'in a script', 'script/read.lua' => '-- ' . 'x' x 77);
breach(tab => 'a tab', $id => "/*\t*/");
breach(tab => 'in a script', 'script/read.lua' => "\tlocal x = 1");
breach(blank => 'a blank at the end', $id => '/* x */ ');
breach(comment => 'at the margin', $id => '// x');
breach(comment => 'behind code', $id => "int  ${im}_x(void);  // x");

breach(file => '601 lines', "${im}_new.c" => lines(601));
breach(file => '351 lines in api', "api/${im}_new.c" => lines(351));
breach(function => '81 lines', "${im}_new.c" => function('f', 81));
breach(prefix => 'another prefix', $id => "\n\nint\nim_x(void)\n{\n}");
breach(prefix => 'of a static one', $id => "\n\nstatic int\nx(void)\n{\n}");
breach(static => 'a name twice', "${im}_new.c" => function('x', 5, 'static '),
       "redis/${im}_new.c" => function('x', 5, 'static '));
breach(static => 'static here, not there', $id => function('x', 5, 'static '),
       "api/${im}_new.c" => function('x', 5));

my @up = (
    [ 'a leaf part, redis', $id, 'cmd' ],
    [ 'a leaf part, api', "${im}_field.h", 'call' ],
    [ 'a leaf part, http', "${im}_stat.c", 'response' ],
    [ 'shared memory, status', "${im}_cache.c", 'sum' ],
    [ 'redis, a call', "redis/${im}_cmd.c", 'call' ],
    [ 'redis, a key of ours', "redis/${im}_cmd.c", 'key' ],
    [ 'redis, the rows we store', "redis/${im}_cmd.c", 'schema' ],
    [ 'redis, http', "redis/${im}_cmd.h", 'handler' ],
    [ 'api, http', "api/${im}_call.c", 'response' ],
    [ 'api, a connection', "api/${im}_call.c", 'conn' ],
    [ 'http, a connection', "http/${im}_handler.c", 'conn' ],
    [ 'http, what is within api', "http/${im}_handler.c", 'profile' ],
    [ 'status, a connection', "status/${im}_status.c", 'conn' ],
    [ 'status, redis', "status/${im}_sum.h", 'redis' ],
    [ 'status, a call', "status/${im}_sum.c", 'call' ],
    [ 'the module, a connection', "${im}_module.c", 'conn' ],
    [ 'nobody, what is not there', $id, 'nosuch' ],
);
breach(folder => $_->[0], $_->[1] => include($_->[2])) for @up;
breach(folder => 'a folder that no table has', "new/${im}_new.c" => lines(3));
breach(folder => 'a file of another name', "api/new.c" => lines(3));

breach(umbrella => 'a leaf part', $id => qq(#include "$im.h"));
breach(umbrella => 'redis', "redis/${im}_cmd.h" => qq(#include "$im.h"));
breach(umbrella => 'api', "api/${im}_call.c" => qq(#include "$im.h"));

breach(include => 'a header of a leaf', "${im}_key.h" => include('script'));
breach(include => 'a header of api', "api/${im}_route.h" => include('json_flat'));
breach(include => 'a file', "api/${im}_route.c" => include('json_flat'));

breach(circle => 'headers', "${im}_a.h" => include('b') . "\nint  ${im}_x(int);",
       "${im}_b.h" => include('c') . "\nint  ${im}_y(int);\n\n${im}_x(1);",
       "${im}_c.h" => include('a') . "\nint  ${im}_z(int);\n\n${im}_y(1);");
breach(circle => 'calls, below one header',
       "${im}_a.h" => "int  ${im}_x(int);\nint  ${im}_y(int);",
       "${im}_a.c" => include('a') . function('x', 5) . "\n\n\n"
                      . function('w', 5, 'static ', "${im}_y();"),
       "${im}_b.c" => include('a') . function('y', 5, '', "${im}_x();"));
breach(circle => 'data',
       "${im}_a.h" => "int  ${im}_x(int);\nextern const int  ${im}_n;",
       "${im}_a.c" => include('a') . "\n\nconst int  ${im}_n = 1;\n\n\n"
                      . function('w', 5, 'static ', "${im}_x();"),
       "${im}_b.c" => include('a') . function('x', 5, '', "return ${im}_n;"));

breach(request => 'api', "api/${im}_call.h" => "typedef ngx_http_request_t  ${im}_r_t;");
breach(request => 'redis', "redis/${im}_cmd.c" => 'extern ngx_http_request_t  *r;');
breach(request => 'a leaf part, by ngx_http.h', $id => '#include <ngx_http.h>');
breach(jansson => 'its header', "${im}_writer.c" => '#include <jansson.h>');
breach(jansson => 'its types', "${im}_writer.h" => "typedef json_t  ${im}_t;");
breach(hiredis => 'its header', "redis/${im}_cmd.c" => '#include <hiredis/hiredis.h>');
breach(hiredis => 'its other header', "redis/${im}_cmd.h" => '#include <hiredis/read.h>');
breach(hiredis => 'its types', "api/${im}_call.c" => 'extern redisReply  *reply;');
breach(socket => 'read', "redis/${im}_sched.c" => code('c->recv(c, p, 1);'));
breach(socket => 'write', "http/${im}_handler.c" => code('c->send(c, p, 1);'));
breach(socket => 'write a chain', "redis/${im}_cmd.c" => code('c->send_chain(c, p, 1);'));
breach(socket => 'without nginx', $id => code('(void) recv(fd, p, 1, 0);'));
breach(socket => 'connect', "http/${im}_handler.c" => code('ngx_event_connect_peer(pc);'));
breach(assert => 'assert', $id => code('assert(1);'));
breach(assert => 'abort', "redis/${im}_cmd.c" => code('abort();'));
breach(assert => 'exit', "http/${im}_handler.c" => code('exit(1);'));

breach(mutable => 'static', $id => "static ngx_uint_t  ${im}_n;");
breach(mutable => 'static with a value', $id => "static int  ${im}_n = 1;");
breach(mutable => 'an array', $id => "static u_char  ${im}_n[16];");
breach(mutable => 'a pointer to what is const', $id => "static const char  *${im}_n = \"x\";");
breach(mutable => 'in a function', $id => code('static ngx_uint_t  n;'));
breach(mutable => 'of the whole module', $id => "ngx_uint_t  ${im}_n;");
breach(mutable => 'in what is linked', sub {
    so("static int n; int ${im}_x(void) { return n++; }") });
breach(blocking => 'sleep', "http/${im}_handler.c" => code('sleep(1);'));
breach(blocking => 'a name', $id => code('getaddrinfo(h, NULL, NULL, &ai);'));
breach(blocking => 'a file', "http/${im}_handler.c" => code('fd = ngx_open_file(p, 0, 0, 0);'));
breach(blocking => 'a name, by nginx', "redis/${im}_cmd.c" => code('ngx_parse_url(pool, &u);'));
breach(blocking => "a call to $_, in what is linked", sub {
    so("int $_(void); int ${im}_x(void) { return $_(); }") })
    for qw(sleep getaddrinfo connect);
breach(module => 'not built', sub { unlink "$copy/build/${im}_module.so" });
breach(module => 'not an object', sub { text("$copy/build/${im}_module.so", 'x') });

breach(debug => 'another level', $id => logged('NGX_LOG_DEBUG_EVENT', 'im x'));
breach(debug => 'another prefix', $id => logged('NGX_LOG_DEBUG_HTTP', 'x'));
breach(debug => 'too few', map {
    $_ => sub { $_[0] =~ s/\bngx_log_debug(\d)/ngx_log_dbg$1/g } } sources());

my $lua = 'script/read.lua';
breach(lua => 'for', $lua => "for i = 1, 3 do user = user .. 'x' end");
breach(lua => 'in front', $lua => "for i = 1, 3 do\n    user = 'x' .. user\nend");
breach(lua => 'while', $lua => "while seq do\n user = user .. 'x'\n end");
breach(lua => 'repeat', $lua => "repeat user = user .. 'x' until seq");
breach(lua => 'in an if', $lua => "for i = 1, 3 do\n if seq then\n user = user\n .. 'x'\n end end");
breach(lua => 'in a table', $lua => "for i = 1, 3 do t.x = t.x .. 'x' end");


# --- what may be

fine('79 columns', $id => '/* ' . 'x' x 73 . ' */');
fine('addresses and words in strings and comments',
     $id => "/* http://x assert(1) recv(fd) ngx_http_request_t */\n"
            . code('p = "http://x sleep(1) assert(1) recv(fd)";'));
fine('600 lines', "${im}_new.c" => lines(600));
fine('350 lines in api', "api/${im}_new.c" => lines(350));
fine('a function of 80 lines', "${im}_new.c" => function('f', 80));
fine('constants', $id => "static const ngx_str_t  ${im}_n = ngx_null_string;\n"
     . "static const char  *const  ${im}_p = \"x\";\n"
     . "static int  ${im}_y(void);");
fine('a debug line', $id => logged('NGX_LOG_DEBUG_HTTP', 'im x'));
fine('texts in Lua', $lua => "for i = 1, 3 do t[i] = 'x' .. i end\n"
     . "user = user .. 'x'\nfor i = 1, 3 do user2 = user .. 'x' end\n"
     . "if seq then user = user .. 'x' end");
fine('files, read with the configuration', "redis/${im}_auth.c"
     => code('fd = ngx_open_file(p, 0, 0, 0);'));

is_deeply([ grep { !$planted{$_} } @rules ], [], 'each rule has a breach here');
is_deeply([ lint() ], \@clean, 'and the copy is what it was');

done_testing;


sub lint {
    my @said = split /\n/, qx($lint $copy 2>&1);
    is($? >> 8, @said ? 1 : 0, 'status') if $? >> 8 != (@said ? 1 : 0);
    return @said;
}


# a line without what moves
sub plain { return $_[0] =~ s/\d+/N/gr =~ s/:N:/:/r }


# what is said of a tree with these edits, and was not before
sub with {
    my (@edits) = @_;
    my %was;
    my $so = "$copy/build/${im}_module.so";

    if (ref $edits[0]) {
        $edits[0]->();
        @edits = ();
    }
    while (my ($file, $edit) = splice @edits, 0, 2) {
        my $path = "$src/$file";
        make_path($path =~ s{/[^/]*$}{}r);
        $was{$path} //= -e $path ? Test::IM::slurp($path) : undef;
        my $text = $was{$path} // '';
        ref $edit ? $edit->($text) : ($text .= "$edit\n");
        text($path, $text);
    }

    my %seen = %clean;
    my @new = grep { !($seen{plain($_)} && $seen{plain($_)}--) } lint();

    defined $was{$_} ? text($_, $was{$_}) : unlink $_ for keys %was;
    rmdir "$src/new";
    system('cp', "$so.good", $so);
    return @new;
}


sub breach {
    my ($rule, $name, @edits) = @_;
    my @new = with(@edits);
    $planted{$rule}++;

    # what is included in vain may also be unused and close a circle

    my @other = grep { !/\[(?:$rule|include|circle)\]/ } @new;
    ok(scalar(grep { /\[$rule\]/ } @new), "$rule: $name") or diag(@new);
    is_deeply(\@other, [], "$rule: $name: nothing else is found");
}


sub fine {
    my ($name, @edits) = @_;
    is_deeply([ with(@edits) ], [], "fine: $name");
}


sub text {
    my ($path, $text) = @_;
    open my $fh, '>', $path or die "$path: $!\n";
    print $fh $text;
    close $fh or die "$path: $!\n";
}


# a shared object as the module of the copy; the first one comes back
sub so {
    my ($text) = @_;
    my $so = "$copy/build/${im}_module.so";
    text("$copy/build/x.c", "$text\n");
    system('cc', '-w', '-shared', '-fPIC', '-o', $so, "$copy/build/x.c") == 0
        or die "cc\n";
    system('cp', $so, "$so.good") if !-e "$so.good";
}


sub include { return qq(#include "${im}_$_[0].h") }

sub lines { return join "\n", ('/* x */') x $_[0] }

sub sources { return map { s{^\Q$src/}{}r } glob("$src/*.c $src/*/*.c") }

# of so many lines from brace to brace
sub function {
    my ($name, $lines, $static, $body) = @_;
    my $text = ($static // '') . "void\n${im}_$name(void)\n{\n";
    $text .= "    " . ($body // ';') . "\n" for 1 .. $lines - 2;
    return "\n\n$text}";
}

sub code { return function('planted', 3, '', $_[0]) }

sub logged {
    my ($level, $text) = @_;
    return code("ngx_log_debug0($level, log, 0,\n"
                . "                   \"$text\");");
}
