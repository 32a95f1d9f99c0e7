package Test::IM::OpenAPI;

# Responses against docs/openapi.yaml.  Test::IM checks every response of a
# location that has im_pass.  IM_OPENAPI=0 turns this off, IM_OPENAPI=1 demands
# it; by default it is done if the packages are there.
#
#     my @errors = Test::IM::OpenAPI::errors($request, $response);
#
# $request: { method, path, body }, the path below the location's prefix; body
# is undef if it is not known.  Checked are status, media type, body and
# headers, and of a call that was executed its fields: a request that the
# document does not allow must not get 200.

use strict;
use warnings;

use Carp qw(croak);
use Cwd qw(abs_path);
use File::Basename qw(dirname);

our $ON = $ENV{IM_OPENAPI} // eval { packages(); 1 };

my $FILE = abs_path(dirname(__FILE__) . '/../../../../docs/openapi.yaml');
my $PREFIX = '/im/';                        # of the paths in the document

# The schemas are resolved once in a process.  %valid: short bodies and rows
# that are; most bodies are "{}" or "[]".

my ($doc, $schema, $json, @calls, %valid);


sub document { load(); return $doc }


sub load {
    return if $doc;

    eval { packages(); 1 }
        or croak "$@install libjson-validator-perl, libcpanel-json-xs-perl and"
                 . " libyaml-libyaml-perl, or set IM_OPENAPI=0";

    no warnings 'once';
    local $YAML::XS::Boolean = 'JSON::PP';

    $doc = YAML::XS::LoadFile($FILE);

    # what is used of 2020-12 means the same in 2019-09, which the validator
    # knows; limits that a directive changes are no limits here, and formats of
    # OpenAPI say nothing to it

    my $copy = YAML::XS::LoadFile($FILE);
    lift($copy);
    $copy->{'$schema'} = 'https://json-schema.org/draft/2019-09/schema';
    $schema = JSON::Validator::Schema::Draft201909->new($copy)->resolve;
    $json = Cpanel::JSON::XS->new->utf8->canonical->allow_nonref;

    my $data = $schema->data;

    # paths without parameters first, as in the route table

    for my $path (sort { ($a =~ /\{/) - ($b =~ /\{/) }
                  keys %{ $data->{paths} })
    {
        my ($below) = $path =~ /^\Q$PREFIX\E(.*)$/ or next;
        my $pattern = join '([^/]+)', map { quotemeta }
                      split /\{\w+\}/, $below, -1;
        my $post = $data->{paths}{$path}{post};
        push @calls, {
            path => $path, pattern => qr/^$pattern$/,
            body => content(deref($post->{requestBody})),
            responses => { map { $_ => deref($post->{responses}{$_}) }
                           keys %{ $post->{responses} } },
        };
    }
}


sub packages {
    require Cpanel::JSON::XS;
    require JSON::Validator::Schema::Draft201909;
    require YAML::XS;
}


sub lift {
    my $v = shift;

    if (ref $v eq 'HASH') {
        delete @$v{qw(maximum maxLength maxItems)} if $v->{'x-im-directive'};
        delete $v->{format} if ($v->{type} // '') eq 'integer';
        lift($_) for values %$v;

    } elsif (ref $v eq 'ARRAY') {
        lift($_) for @$v;
    }
}


# an object of the document, if need be the one that $ref names

sub deref {
    my ($v, $root) = @_;
    my $ref = $v->{'$ref'} or return $v;

    $root ||= $schema->data;
    $root = $root->{$_} for grep { length } split m{/}, $ref =~ s/^#//r;
    return $root;
}


sub content { return $_[0]{content}{'application/json'}{schema} }


sub errors {
    my ($request, $response) = @_;
    my ($method, $path, $body) = @$request{qw(method path body)};

    load();

    my $status = $response->status;
    my $type = ($response->header('Content-Type') // '') =~ s/;.*//r;

    $path =~ s/[?#].*//s;
    $path =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ge;
    $path =~ s{/+}{/}g;
    $path =~ s{^/}{};

    my ($call, $conv_id);

    for (@calls) {
        $path =~ $_->{pattern} or next;
        $call = $_;
        $conv_id = $1 if $call->{path} =~ /\{/;
        last;
    }

    # nginx and other modules answer in HTML

    if ($type ne 'application/json') {
        return $call && $status == 200 && $method eq 'POST'
               ? "Content-Type \"$type\"" : ();
    }

    my $said = $call ? $call->{responses}{$status}
             : $status == 404 ? $schema->data->{components}{responses}{NotFound}
             : undef;

    return "status $status is not in the document" if !$said;

    my @errors = headers_errors($said, $response);

    push @errors, body_errors($call ? $call->{path} : '', $status,
                              content($said), $response->body)
        if $method ne 'HEAD';

    if ($status == 200) {
        push @errors, request_errors($call, $body) if defined $body;
        push @errors, map { "conv_id: $_" }
            $schema->validate($conv_id, pointer('ConvId')) if defined $conv_id;
    }

    return @errors;
}


sub pointer { return $schema->data->{components}{schemas}{ $_[0] } }


sub headers_errors {
    my ($said, $response) = @_;
    my %header = map { lc $_ => deref($said->{headers}{$_}) }
                 keys %{ $said->{headers} || {} };
    my @errors;

    for my $name (sort keys %header) {
        my $value = $response->header($name);

        if (!defined $value) {
            push @errors, "header $name is missing";
            next;
        }

        $value += 0 if $value =~ /^(?:0|[1-9]\d*)$/
            && is_integer($header{$name}{schema});
        push @errors, map { "header $name: $_" }
            $schema->validate($value, $header{$name}{schema});
    }

    push @errors, map { "header $_ is not in the document" }
        grep { /^x-im-|^retry-after$|^allow$/ && !$header{$_} }
        sort keys %{ $response->headers };

    return @errors;
}


sub is_integer { return (deref($_[0])->{type} // '') eq 'integer' }


sub body_errors {
    my ($path, $status, $of, $body) = @_;

    return known("$path $status $body", sub {
        my $data = eval { $json->decode($body) };
        return 'body is not JSON: ' . ($@ =~ s/ at \S+ line.*//sr) if $@;

        $of = deref($of);
        my @forms = map { deref($_) } @{ $of->{anyOf} || [ $of ] };

        return map { "body $_" } $schema->validate($data, $of)
            if ref $data ne 'ARRAY' || grep { !$_->{items} } @forms;

        # the form that fits best

        my @least;
        for my $form (@forms) {
            my @errors = rows_errors($data, $form->{items});
            return if !@errors;
            @least = @errors if !@least || @errors < @least;
        }
        return @least;
    });
}


# Rows come again and again, and are the same but for their times.

sub rows_errors {
    my ($rows, $of) = @_;
    my @errors;

    for my $i (0 .. $#$rows) {
        my $key = $json->encode($rows->[$i]);
        $key =~ s/:\d{10,18}(?=[,\}])/:1234567890/g;
        push @errors, map { "row $i: $_" }
            known("$of $key", sub { $schema->validate($rows->[$i], $of) });
    }

    return @errors;
}


# what was valid once is not validated again

sub known {
    my ($key, $errors) = @_;

    return $errors->() if length $key > 1024;
    return if $valid{$key};

    my @errors = $errors->();
    if (!@errors) {
        %valid = () if keys %valid > 20000;
        $valid{$key} = 1;
    }
    return @errors;
}


# nothing is said of a body that cannot be decoded here: 1e400, 19 digits

sub request_errors {
    my ($call, $body) = @_;

    return known("$call->{path} $body", sub {
        my $data = $body =~ /\S/ ? eval { $json->decode($body) } : {};
        return if !ref $data || $body =~ /\d{19}/;
        return map { "request $_" } $schema->validate($data, $call->{body});
    });
}


1;
